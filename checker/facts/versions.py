"""Versions of Exchange: a version as numbers, and the product it belongs to."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["SP1", "Product", "Version"]


class Version(NamedTuple):
    """A version such as 15.2.1748.10, compared part by part."""

    major: int
    minor: int
    build: int
    revision: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}.{self.revision}"


SP1 = Version(15, 0, 847, 32)  # Exchange 2013 SP1, the first that speaks MAPI over HTTP


class Product(Enum):
    """The product generation, told by the version: SE shares 15.2 with 2019 and begins at build 2562."""

    EXCHANGE_2007 = "Exchange 2007"
    EXCHANGE_2010 = "Exchange 2010"
    EXCHANGE_2013 = "Exchange 2013"
    EXCHANGE_2016 = "Exchange 2016"
    EXCHANGE_2019 = "Exchange 2019"
    EXCHANGE_SE = "Exchange SE"
    NEWER = "a newer Exchange"
    UNKNOWN = "an unknown Exchange"

    @classmethod
    def of(cls, version: Version) -> Product:
        match (version.major, version.minor):
            case (8, _):
                return cls.EXCHANGE_2007
            case (14, _):
                return cls.EXCHANGE_2010
            case (15, 0):
                return cls.EXCHANGE_2013
            case (15, 1):
                return cls.EXCHANGE_2016
            case (15, 2):
                return cls.EXCHANGE_SE if version.build >= 2562 else cls.EXCHANGE_2019
        return cls.NEWER if version > Version(15, 2, 0, 0) else cls.UNKNOWN
