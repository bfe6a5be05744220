"""The kinds of step, one module each; `runbooks.registry` names them, and imports one when it is first used."""
