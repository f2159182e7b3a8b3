"""Language packs: the words of one language, as data. The engine itself knows no language."""

from conversation.language.pack import LanguagePack, PackError, load_pack

__all__ = ["LanguagePack", "PackError", "load_pack"]
