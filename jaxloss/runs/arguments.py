"""Looks for single words of a command before all are read: they set the defaults of the others."""


def early_value(words: list[str], option: str) -> str | None:
    """Finds an option's value before tyro reads the rest; the last one counts, as it does there."""
    value = None
    for place, word in enumerate(words):
        if word == option and place + 1 < len(words):
            value = words[place + 1]
        elif word.startswith(option + "="):
            value = word.removeprefix(option + "=")
    return value


def first_plain(words: list[str]) -> str | None:
    """Finds the first word that is neither an option nor the value of the one before it."""
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if not word.startswith("-") and (not before.startswith("--") or "=" in before):
            return word
    return None
