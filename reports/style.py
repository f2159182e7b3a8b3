"""The one style sheet of the report, light and dark, screen and paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fbfaf8; --quiet: #5d6675;
  --line: #dcd9d2; --agent: #2f6f8f; --customer: #b3592d; --cut: #a3203a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #171a20; --quiet: #9aa3b2;
  --line: #343a45; --agent: #6fb3d3; --customer: #e39a6f; --cut: #ff8fa3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
h3 { margin: 1rem 0 .3rem; font-size: 1rem; }
.quiet, footer { color: var(--quiet); font-size: .9rem; }
.summary { font-size: 1.15rem; max-width: 48rem; }
.notes { border-left: 3px solid var(--customer); margin: 1rem 0; padding: .4rem 0 .4rem 1.6rem; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { color: var(--quiet); font-weight: 500; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font: 11px system-ui, sans-serif; }
.lane-agent { fill: var(--agent); } .lane-customer { fill: var(--customer); }
.lane-mixed { fill: var(--quiet); } .axis { stroke: var(--line); }
.overlap { fill: var(--ink); opacity: .28; } .interruption { fill: none; stroke: var(--cut);
  stroke-width: 2; } .cue { fill: var(--cut); }
.event { border-top: 1px solid var(--line); padding: .4rem 0 .8rem; }
.cut { color: var(--cut); font-weight: 600; } .quotes { margin: 0; padding-left: 1rem; }
.transcript { list-style: none; padding: 0; }
.transcript li { display: grid; grid-template-columns: 4rem 5.5rem 1fr; padding: .2rem 0; }
.transcript .at, .transcript .who { color: var(--quiet); font-variant-numeric: tabular-nums; }
.transcript .agent .who { color: var(--agent); }
.transcript .customer .who { color: var(--customer); }
@media (max-width: 30rem) { .transcript li { grid-template-columns: 3.4rem 1fr; }
  .transcript li > :last-child { grid-column: 2; } }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } .event, tr, li {
  break-inside: avoid; } }
"""
