"""The commands: `lispd-fast` and `lispctl`. Standard output is the answer, standard error the rest."""
