"""Language packs: the words of one language, as data. The engine itself knows no language."""

from conversation.language.heads import Head, Heads, load_heads
from conversation.language.pack import LanguagePack, PackError, load_pack

__all__ = ["Head", "Heads", "LanguagePack", "PackError", "load_heads", "load_pack"]
