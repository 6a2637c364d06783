import asyncio, json, sys, tempfile, re
from pathlib import Path
from tests.conformance import compare, worlds, run
from tests.conformance.kube import plane
from tests.conformance.questions import generated as g
from tests.conformance.questions.dice import Dice
lo,hi=int(sys.argv[1]),int(sys.argv[2])
kinds=sys.argv[3:] or list(g.KINDS)
S={}
for k in kinds:
    for n in range(lo,hi):
        if k=="selectors": S[f"selectors {n}"]=list(g._selection(Dice(f"selectors {n}")))
        else: S[f"{k} {n}"]=list(g.Subject(Dice(f"{k} {n}"),k).steps())
async def ask(kc,wanted):
    out={}
    sem=asyncio.Semaphore(6)
    async with run.world(kc) as t, run.world(kc,bare=True) as nb:
        await compare.stage(t,g)
        async def one(title):
            async with sem:
                try: out[title]=await compare.ask(t,nb,S[title],[])
                except Exception as e: out[title]=e
        await asyncio.gather(*(one(x) for x in S))
    return out
with plane.running() as kc: theirs=asyncio.run(ask(str(kc),None))
with tempfile.TemporaryDirectory() as f, worlds.server(Path(f)) as kc: ours=asyncio.run(ask(str(kc),None))
def flat(v,p=""):
    if isinstance(v,dict) and v:
        for k,x in v.items(): yield from flat(x,f"{p}.{k}")
    elif isinstance(v,list) and v:
        for i,x in enumerate(v): yield from flat(x,f"{p}[{i}]")
    else: yield p,v
n=bad=0
for title in S:
    o,t=ours[title],theirs[title]
    if isinstance(o,Exception) or isinstance(t,Exception): print("EXC",title,o if isinstance(o,Exception) else t); continue
    for i,(a,b) in enumerate(zip(o,t),1):
        n+=1
        if compare.same(a,b): continue
        bad+=1
        st=S[title][i-1]
        print(f"=== {title} #{i} {st.method} {st.path} {st.media} {json.dumps(st.body)[:1500]}")
        fo,ft=dict(flat(a)),dict(flat(b))
        ks=[k for k in dict.fromkeys((*ft,*fo)) if fo.get(k,"∅")!=ft.get(k,"∅") and "causes" not in k]
        if a.get("code")!=b.get("code"): ks=[k for k in ks if k==".code" or k==".body.message"]
        for k in ks[:8]: print("   ",k,"\n      O",repr(fo.get(k,"∅"))[:700],"\n      T",repr(ft.get(k,"∅"))[:700])
        break  # first difference of a scenario only
print(n,"answers",bad,"scenarios differ")
