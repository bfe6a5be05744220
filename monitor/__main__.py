"""`python -m monitor` is `releve`."""

from monitor.cli import main

main()
