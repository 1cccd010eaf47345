"""The crash campaign: a server is killed again and again at random moments, and what was acknowledged must be there.

    python -m tests.crash --kills 2000 --store sqlite --seed 7 --json report.json

`world` is one store over many lives of a server, `chronicle` is what was asked and answered (`wanted`: of one job;
`plans`: of schedules), `inspection` holds it against what the store has after each kill, `peers`, `administrator` and
`auditor` are the load, `nursery` starts servers without waiting for imports, `sabotage` breaks the store on purpose: a
campaign that cannot fail proves nothing.
"""
