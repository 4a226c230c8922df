"""A campaign of bad inputs: every command, every file that it reads, every way to be bad.

    python -m tests.campaign                     # all cases, and a table of what came of them
    python -m tests.campaign audit-csv score     # the cases whose ids begin so
    python -m tests.campaign --sample 60         # what the test of the campaign runs

A case is COMMAND:FILE:DAMAGE. Its command is run on a small valid set-up in which that one file
was damaged, in a process of its own, and must then refuse it in one line, give the same result as
without the damage, or say what it did. A traceback, a hang, and another result without a word are
failures.

| file | holds |
|---|---|
| `damages.py` | what can happen to a file |
| `stock.py`, `stock_build.py` | the valid files that set-ups are copied from |
| `command.py` | what a command, and a file that it reads, is to the campaign |
| `commands_*.py` | the commands |
| `arguments.py` | bad values in place of bad files, for what is called from Python |
| `children.py` | a case in a process of its own, with limits |
| `results.py` | the figures that a command gave, apart from times and places |
| `verdicts.py` | what is right and what is not |
| `campaign.py` | the list of cases, samples of it, and the run |
"""
