"""Other people's exports: Export-Clixml files, folders of them, and the XML that Microsoft's HealthChecker writes.

    files          which files there are, and the objects in each
    recognising    what an object is: told by its type names; the name of the file only breaks ties
    healthchecker  the layouts of HealthChecker's object, of all its versions
    hosts          what is told of a host, in the shapes of `checker.host`
    answering      a CmdletRunner that answers the facts' own calls from the objects found

Nothing is guessed: what cannot be recognised, or belongs to no server for certain, is told and left out.
"""

from checker.exports.files import ENDINGS, ExportFile, ExportsError
from checker.exports.reading import NothingKnownError, read_exports

__all__ = ["ENDINGS", "ExportFile", "ExportsError", "NothingKnownError", "read_exports"]
