"""How long certificates hold, in seconds."""

AUTHORITY_LIFE = 10 * 365 * 86400
LIFE = 365 * 86400
RENEW = 30 * 86400
"""An authority and a certificate live so long, and are renewed so long before that."""

SKEW = 365 * 86400
"""They are valid so long before they were made: clocks go back, or were ahead once."""
