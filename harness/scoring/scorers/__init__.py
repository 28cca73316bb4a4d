"""One file for each scorer: a frozen Struct of its parameters that scores an answer."""
