"""Runs the collector script without PowerShell: as much of the language as the script uses, and nothing more.

tree-sitter-powershell parses, `Interpreter` walks the tree. Exchange's cmdlets are those of the lab, run in-process as
the Exchange Management Shell would run them: what the session does not know raises, every other error is written to the
error stream. The cmdlets of Windows are answered from `lab.collector`. Whatever else the script might say raises
`NotImplementedError`: a test that passes has run every statement that it reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from checker.answers import PSObject
from checker.powershell.clixml import read_fragment
from lab.collector import Host
from lab.powershell.clixml import write
from lab.powershell.cmdlet import Call, Category, Cmdlets, Notice, Output, Problem, Progress, UnboundError, bind
from lab.powershell.problems import command_not_found, parameter_missing, parameter_not_found
from lab.scenario import User
from tests.collector.exporting import Thing, export_clixml, select_properties
from tests.reports.needed import module

__all__ = ["Interpreter", "Received", "parse"]

_CATEGORIES = {
    Category.NOT_SPECIFIED: "NotSpecified",
    Category.INVALID_ARGUMENT: "InvalidArgument",
    Category.INVALID_OPERATION: "InvalidOperation",
    Category.NOT_INSTALLED: "NotInstalled",
    Category.OBJECT_NOT_FOUND: "ObjectNotFound",
}
_ERROR, _WARNING = "System.Management.Automation.ErrorRecord", "System.Management.Automation.WarningRecord"


def parse(script: str) -> Any:
    """The syntax tree."""
    tree_sitter, grammar = module("tree_sitter"), module("tree_sitter_powershell")
    return tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(script.encode()).root_node


class Received:
    """An object of Exchange: as it came, and what is in it."""

    def __init__(self, clixml: bytes) -> None:
        self.clixml = clixml
        self.value = read_fragment(clixml.decode())

    def get(self, name: str) -> Any:
        members = self.value.properties if isinstance(self.value, PSObject) else {}
        found = next((value for key, value in members.items() if key.casefold() == name.casefold()), None)
        return (found.text or found.value) if isinstance(found, PSObject) else found


class RaisedError(Exception):
    """A terminating error."""

    def __init__(self, record: Thing) -> None:
        super().__init__(record.get("FullyQualifiedErrorId"))
        self.record = record


class _Block:
    def __init__(self, body: Any) -> None:
        self.body = body


class _Hash(dict[str, Any]):
    """A hash table."""


class Interpreter:
    """One run of the script in a shell that is connected to one server, on one host.

    `called` are the calls of Exchange's cmdlets, `used` the names of all commands; `interrupt_at` ends the run before
    that many calls, as Ctrl-C does.
    """

    def __init__(
        self,
        cmdlets: Cmdlets,
        user: User,
        *,
        server: str,
        host: Host,
        now: datetime,
        version: int = 5,
        remote: bool = True,
        interrupt_at: int | None = None,
    ) -> None:
        self.called: list[Call] = []
        self.used: set[str] = set()
        self.said: list[str] = []
        self.zipped: list[tuple[Path, Path]] = []
        self._cmdlets, self._user, self._server, self._host, self._now = cmdlets, user, server, host, now
        self._remote, self._interrupt_at = remote, interrupt_at
        domain, _, name = user.name.partition("\\")
        self._variables: list[dict[str, Any]] = [
            {
                "true": True,
                "false": False,
                "null": None,
                "env:computername": host.name,
                "env:userdomain": domain,
                "env:username": name,
                "psversiontable": Thing("hashtable", {"PSVersion": Thing("version", {"Major": version})}),
            }
        ]
        self._functions: dict[str, tuple[list[str], Any, bool]] = {}

    def run(self, script: str, **parameters: Any) -> None:
        """The whole script. `RaisedError` is a terminating error, KeyboardInterrupt the interruption."""
        root = parse(script)
        assert not root.has_error
        given = {name.casefold(): value for name, value in parameters.items()}
        for name, default in self._parameters(_child(root, "param_block")):
            self._variables[0][name] = given.pop(name) if name in given else default
        assert not given
        self.said += [str(value) for value in self._statements(_child(root, "statement_list"))]

    # --- statements ---------------------------------------------------------------------------------------------------

    def _statements(self, node: Any) -> list[Any]:
        """What the statements put out."""
        found: list[Any] = []
        for statement in node.children if node is not None else ():
            found += self._statement(statement)
        return found

    def _statement(self, node: Any) -> list[Any]:
        match node.type:
            case "comment" | "empty_statement" | ";":
                return []
            case "pipeline":
                return self._pipeline(node)
            case "if_statement":
                return self._if(node)
            case "foreach_statement":
                variable = next(child for child in node.children if child.type == "variable")
                found: list[Any] = []
                for item in _listed(self._value(_child(node, "pipeline"))):
                    self._assign(variable, item)
                    found += self._block(_child(node, "statement_block"))
                return found
            case "try_statement":
                return self._try(node)
            case "function_statement":
                name = _text(_child(node, "function_name")).casefold()
                body = _child(node, "script_block")
                self._functions[name] = (
                    [known for known, _ in self._parameters(_child(body, "param_block"))],
                    _child(_child(body, "script_block_body"), "statement_list"),
                    node.children[0].type == "filter",
                )
                return []
            case "flow_control_statement" if node.children[0].type == "throw":
                message = str(self._value(_child(node, "pipeline")))
                raise RaisedError(_record(message, message, "OperationStopped", ["System.Exception"]))
        raise NotImplementedError(node.type)

    def _block(self, node: Any) -> list[Any]:
        return self._statements(_child(node, "statement_list"))

    def _if(self, node: Any) -> list[Any]:
        if _true(self._value(_child(node, "pipeline"))):
            return self._block(_child(node, "statement_block"))
        others = _child(node, "elseif_clauses")
        for other in others.children if others is not None else ():
            if _true(self._value(_child(other, "pipeline"))):
                return self._block(_child(other, "statement_block"))
        last = _child(node, "else_clause")
        return self._block(_child(last, "statement_block")) if last is not None else []

    def _try(self, node: Any) -> list[Any]:
        caught, last = _child(node, "catch_clauses"), _child(node, "finally_clause")
        try:
            return self._block(_child(node, "statement_block"))
        except RaisedError as error:
            if caught is None:
                raise
            (clause,) = caught.children
            return self._with_item(error.record, _child(_child(clause, "statement_block"), "statement_list"))
        finally:
            if last is not None:
                self._block(_child(last, "statement_block"))

    def _with_item(self, item: Any, statements: Any) -> list[Any]:
        """The statements, with $_ as this."""
        scope = self._variables[-1]
        before = scope.get("_")
        scope["_"] = item
        try:
            return self._statements(statements)
        finally:
            scope["_"] = before

    def _parameters(self, block: Any) -> Iterator[tuple[str, Any]]:
        listed = _child(block, "parameter_list") if block is not None else None
        for parameter in listed.children if listed is not None else ():
            if parameter.type == "script_parameter":
                default = _child(parameter, "script_parameter_default")
                name = _text(_child(parameter, "variable"))[1:].casefold()
                yield name, self._expression(default.children[-1]) if default is not None else None

    # --- pipelines ----------------------------------------------------------------------------------------------------

    def _pipeline(self, node: Any) -> list[Any]:
        """What a pipeline puts out; a list is taken apart."""
        value = self._value(node)
        return [] if value is None and not _is_command(node) else _listed(value)

    def _value(self, node: Any) -> Any:
        """The value of a pipeline: of an expression as it is, of commands nothing, the one object or the list."""
        (inner,) = [child for child in node.children if child.type != "comment"]
        if inner.type == "assignment_expression":
            left, _, right = inner.children
            self._assign(left, self._value(right))
            return None
        stages = [child for child in inner.children if child.type not in ("|", "comment")]
        if len(stages) == 1 and stages[0].type != "command":
            return self._expression(stages[0])
        stream: list[Any] = []
        for stage in stages:
            stream = self._command(stage, stream) if stage.type == "command" else _listed(self._expression(stage))
        return stream[0] if len(stream) == 1 else stream or None

    def _command(self, node: Any, stream: Sequence[Any]) -> list[Any]:
        name = _text(_child(node, "command_name"))
        self.used.add(name)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        merged: set[str] = set()
        waiting: str | None = None
        elements = _child(node, "command_elements")
        for element in elements.children if elements is not None else ():
            match element.type:
                case "command_argument_sep" | "comment":
                    continue
                case "redirection":
                    merged.add(_text(element))
                case "command_parameter":
                    waiting = _text(element)[1:]
                    named[waiting] = True
                case "generic_token" | "array_literal_expression":
                    value = _text(element) if element.type == "generic_token" else self._expression(element)
                    if waiting is None:
                        positional.append(value)
                    else:
                        named[waiting] = value
                    waiting = None
                case _:
                    raise NotImplementedError(element.type)
        known = self._functions.get(name.casefold())
        if known is not None:
            return self._function(known, named, positional, stream)
        built_in: Callable[..., list[Any]] | None = getattr(self, f"_do_{name.replace('-', '_').lower()}", None)
        if built_in is not None:
            lower = {key.lower(): value for key, value in named.items() if key.lower() != "erroraction"}
            builtin_names = {"filter": "filter_", "property": "property_"}
            return built_in(stream, *positional, **{builtin_names.get(key, key): lower[key] for key in lower})
        assert merged == {"2>&1", "3>&1"}, f"{name} does not hand over its errors and warnings"
        assert not positional
        return self._exchange(name, named)

    def _function(
        self, known: tuple[list[str], Any, bool], named: dict[str, Any], positional: list[Any], stream: Sequence[Any]
    ) -> list[Any]:
        parameters, body, is_filter = known
        scope = dict(zip(parameters, positional, strict=False))
        scope |= {name.casefold(): value for name, value in named.items()}
        assert set(scope) <= set(parameters)
        self._variables.append(scope)
        try:
            if is_filter:
                return [value for item in stream for value in self._with_item(item, body)]
            return self._statements(body)
        finally:
            self._variables.pop()

    # --- Exchange -----------------------------------------------------------------------------------------------------

    def _exchange(self, name: str, named: dict[str, Any]) -> list[Any]:
        if self._interrupt_at is not None and len(self.called) >= self._interrupt_at:
            raise KeyboardInterrupt
        signature = self._cmdlets.signature(name, self._user)
        if signature is None:
            self.called.append(Call(name, named, self._user.name))
            raise RaisedError(_local(command_not_found("en", name)))
        try:
            parameters, _ = bind(signature, list(named.items()))
        except UnboundError as error:
            self.called.append(Call(name, named, self._user.name))
            report = parameter_missing if error.missing else parameter_not_found
            raise RaisedError(_local(report("en", name, error.parameter))) from error
        call = Call(signature.name, parameters, self._user.name)
        self.called.append(call)
        found: list[Any] = []
        for said in self._cmdlets.run(call):
            match said:
                case Output(clixml):
                    found.append(Received(clixml))
                case Notice(text):
                    found.append(Thing(_WARNING, {"Message": text}))
                case Problem():
                    found.append(_remote(said))
                case Progress():
                    pass
                case _:
                    raise NotImplementedError(type(said).__name__)
        return found

    # --- the language's own commands, by their names ------------------------------------------------------------------

    def _do_where_object(self, stream: Sequence[Any], block: _Block) -> list[Any]:
        return [item for item in stream if _true(self._with_item(item, block.body))]

    def _do_foreach_object(self, stream: Sequence[Any], block: _Block) -> list[Any]:
        return [value for item in stream for value in self._with_item(item, block.body)]

    def _do_select_object(self, stream: Sequence[Any], property_: Any = None, last: int | None = None) -> list[Any]:
        if last is not None:
            return list(stream[-last:])
        patterns = [pattern.casefold() for pattern in _listed(property_)]
        assert all("*" in pattern for pattern in patterns), "a name would make an empty property of one that is absent"
        return [Received(select_properties(item.clixml, patterns)) for item in stream]

    def _do_tee_object(self, stream: Sequence[Any], variable: str) -> list[Any]:
        self._variables[-1][variable.casefold()] = list(stream)
        return list(stream)

    def _do_write_progress(self, _stream: Sequence[Any], activity: str, status: str) -> list[Any]:
        assert activity
        assert status
        return []

    def _do_write_output(self, _stream: Sequence[Any], value: Any) -> list[Any]:
        return [value]

    def _do_join_path(self, _stream: Sequence[Any], *parts: str, path: str = "", childpath: str = "") -> list[Any]:
        return ["/".join(parts or (path, childpath))]

    def _do_new_item(self, _stream: Sequence[Any], path: str, itemtype: str) -> list[Any]:
        assert itemtype == "Directory"
        Path(path).mkdir()
        return [path]

    def _do_export_clixml(self, stream: Sequence[Any], literalpath: str, encoding: str, depth: int = 2) -> list[Any]:
        assert encoding == "UTF8"
        if stream:
            Path(literalpath).write_bytes(export_clixml(stream, depth))
        return []

    def _do_compress_archive(self, _stream: Sequence[Any], path: str, destinationpath: str) -> list[Any]:
        assert path.endswith("/*")
        self.zipped.append((Path(path[:-2]), Path(destinationpath)))
        return []

    def _do_get_command(self, _stream: Sequence[Any], name: str) -> list[Any]:
        return [name] if self._cmdlets.signature(name, self._user) is not None else []

    def _do_get_pssession(self, _stream: Sequence[Any]) -> list[Any]:
        if not self._remote:
            return []
        lost = {"ConfigurationName": "Microsoft.Exchange", "State": "Broken", "ComputerName": "gone"}
        return [Thing("session", {**lost, "State": "Opened", "ComputerName": self._server}), Thing("session", lost)]

    # --- Windows, by the names of its cmdlets -------------------------------------------------------------------------

    def _do_get_itemproperty(self, _stream: Sequence[Any], literalpath: str) -> list[Any]:
        values = self._host.registry.get(literalpath)
        if values is None:
            raise RaisedError(_record("Cannot find path", "PathNotFound", "ObjectNotFound", ["System.Exception"]))
        name = literalpath.replace("HKLM:", "Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE")
        return [Thing("PSCustomObject", {**values, "PSPath": name})]

    def _do_test_path(self, _stream: Sequence[Any], literalpath: str) -> list[Any]:
        return [literalpath in self._host.registry]

    def _do_get_ciminstance(self, _stream: Sequence[Any], classname: str) -> list[Any]:
        assert classname == "Win32_ComputerSystem"
        return [Thing("CimInstance", {"TotalPhysicalMemory": self._host.memory})]

    def _do_get_webconfiguration(self, _stream: Sequence[Any], pspath: str, filter_: str) -> list[Any]:
        assert (pspath, filter_) == ("MACHINE/WEBROOT/APPHOST", "system.applicationHost/applicationPools/add")
        if not self._host.iis_readable:
            message = "Cannot read configuration file due to insufficient permissions"
            raise RaisedError(_record(message, "UnauthorizedAccess", "PermissionDenied", ["System.Exception"]))
        return [Thing("element", {"name": pool.name, "CLRConfigFile": pool.file}) for pool in self._host.pools]

    def _do_get_webapppoolstate(self, _stream: Sequence[Any], name: str) -> list[Any]:
        return [Thing("state", {"Value": pool.state}) for pool in self._host.pools if pool.name == name]

    def _do_get_content(self, _stream: Sequence[Any], literalpath: str) -> list[Any]:
        for pool in self._host.pools:
            if pool.file == literalpath and pool.configuration is not None:
                return list(pool.configuration.splitlines())
        raise RaisedError(_record("Cannot find path", "PathNotFound", "ObjectNotFound", ["System.Exception"]))

    def _do_get_webbinding(self, _stream: Sequence[Any]) -> list[Any]:
        return [Received(write(binding)) for binding in self._host.bindings()]

    def _do_get_webapplication(self, _stream: Sequence[Any], site: str) -> list[Any]:
        paths = [path.removeprefix(site) for path in self._host.protection if path.startswith(f"{site}/")]
        return [Thing("element", {"path": path}) for path in paths]

    def _do_get_webconfigurationproperty(
        self, _stream: Sequence[Any], pspath: str, location: str, filter_: str, name: str
    ) -> list[Any]:
        assert pspath == "MACHINE/WEBROOT/APPHOST"
        if name == "sslFlags":
            return [Thing("attribute", {"Value": "Ssl,Ssl128"})]
        assert name == "tokenChecking"
        assert filter_.endswith("/extendedProtection")
        return [self._host.protection[location]]

    # --- expressions --------------------------------------------------------------------------------------------------

    def _expression(self, node: Any) -> Any:
        children = [child for child in node.children if child.type != "comment"]
        match node.type, children:
            case "variable", _:
                return self._variable(_text(node)[1:].casefold())
            case "string_literal", (inner,):
                return self._string(inner)
            case "integer_literal" | "decimal_integer_literal", _:
                return int(_text(node))
            case "real_literal", _:
                return float(_text(node))
            case "script_block_expression", _:
                return _Block(_child(_child(_child(node, "script_block"), "script_block_body"), "statement_list"))
            case "array_expression", _:
                return self._statements(_child(node, "statement_list"))
            case "hash_literal_expression", _:
                body = _child(node, "hash_literal_body")
                entries = [entry for entry in body.children if entry.type == "hash_entry"] if body is not None else []
                return _Hash((_text(entry.children[0]).strip("'"), self._value(entry.children[2])) for entry in entries)
            case "parenthesized_expression", _:
                return self._value(_child(node, "pipeline"))
            case "cast_expression", (kind, inner):
                return self._cast(_text(kind)[1:-1].casefold(), inner)
            case "member_access", (kind, operator, name) if operator.type == "::":
                assert (_text(kind), _text(name)) == ("[datetime]", "UtcNow")
                return self._now
            case "member_access", (owner, _, name):
                return _member(self._expression(owner), _text(name))
            case "invokation_expression", (owner, _, name, arguments):
                inner = _child(arguments, "argument_expression_list")
                values = [self._expression(each) for each in inner.children if each.type != ","]
                return _invoke(self._expression(owner), _text(name), values)
            case "expression_with_unary_operator", (operator, inner) if _text(operator) == "-not":
                return not _true(self._expression(inner))
            case "array_literal_expression", (_, _, *_):
                return [self._expression(each) for each in children if each.type != ","]
            case _, (left, operator, right):
                return self._operation(left, _text(operator).casefold(), right)
            case _, (only,):
                return self._expression(only)
        raise NotImplementedError(f"{node.type}: {_text(node)[:80]}")

    def _operation(self, left: Any, operator: str, right: Any) -> Any:
        first = self._expression(left)
        if operator == "-and":
            return _true(first) and _true(self._expression(right))
        if operator == "-is":
            return isinstance(first, Thing) and first.kind == _text(right).strip("[]")
        second = self._expression(right)
        match operator:
            case "+":
                return first + second
            case "-":
                return first - second
            case "-eq":
                return _folded(first) == _folded(second)
            case "-ne":
                return _folded(first) != _folded(second)
            case "-gt":
                return first > second
            case "-ge":
                return first >= second
            case "-le":
                return first <= second
            case "-like":
                return fnmatchcase(str(first).casefold(), str(second).casefold())
            case "-join":
                return str(second).join(str(item) for item in _listed(first))
            case "-f":
                numbers = re.sub(r":d(\d)\}", r":0\1d}", first)
                return numbers.format(*_listed(second))
        raise NotImplementedError(operator)

    def _cast(self, kind: str, node: Any) -> Any:
        value = self._expression(node)
        match kind:
            case "void":
                return None
            case "string":
                return "" if value is None else str(value)
            case "bool":
                return _true(value)
            case "pscustomobject":
                return Thing("PSCustomObject", dict(value))
            case "system.collections.arraylist":
                return list(value)
        raise NotImplementedError(kind)

    def _string(self, node: Any) -> str:
        text = _text(node)
        if node.type == "verbatim_string_characters":
            return text[1:-1].replace("''", "'")
        assert text == '"`n"', "nothing is expanded in a string"
        return "\n"

    def _variable(self, name: str) -> Any:
        for scope in reversed(self._variables):
            if name in scope:
                return scope[name]
        raise NotImplementedError(f"${name} has no value")

    def _assign(self, left: Any, value: Any) -> None:
        while left.type not in ("variable", "member_access"):
            (left,) = left.children
        if left.type == "variable":
            self._variables[-1][_text(left)[1:].casefold()] = value
            return
        owner, _, name = left.children
        target = self._expression(owner)
        assert isinstance(target, Thing)
        target.set(_text(name), value)


# --- values -----------------------------------------------------------------------------------------------------------


def _text(node: Any) -> str:
    text = node.text.decode()
    assert isinstance(text, str)
    return text


def _child(node: Any, kind: str) -> Any:
    return next((child for child in node.children if child.type == kind), None)


def _is_command(node: Any) -> bool:
    chain = _child(node, "pipeline_chain")
    return chain is not None and chain.children[-1].type == "command"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _true(value: Any) -> bool:
    if isinstance(value, list) and len(value) == 1:
        return _true(value[0])
    return bool(value)


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _member(owner: Any, name: str) -> Any:
    if name == "Count" and isinstance(owner, list):
        return len(owner)
    if isinstance(owner, timedelta) and name == "TotalSeconds":
        return owner.total_seconds()
    return owner.get(name) if isinstance(owner, Thing | Received) else None


def _invoke(owner: Any, name: str, values: list[Any]) -> Any:
    if isinstance(owner, list) and name == "Add":
        owner.append(values[0])
        return len(owner) - 1
    if isinstance(owner, datetime) and name == "ToString":
        assert values == ["yyyyMMdd-HHmmss"]
        return owner.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    raise NotImplementedError(name)


def _record(message: str, error_id: str, category: str, types: list[str], target: str = "") -> Thing:
    exception = {"Message": message, "PSObject": Thing("PSObject", {"TypeNames": types})}
    return Thing(
        _ERROR,
        {
            "FullyQualifiedErrorId": error_id,
            "CategoryInfo": Thing("info", {"Category": category, "TargetName": target}),
            "Exception": Thing("exception", exception),
        },
    )


def _local(problem: Problem) -> Thing:
    """An error of the shell itself: there is no such command, or parameter."""
    category = _CATEGORIES[problem.category]
    return _record(problem.message, problem.error_id, category, list(problem.exception_types), problem.target_name)


def _remote(problem: Problem) -> Thing:
    """An error of the server, terminating or not: the shell's own commands write both to the error stream."""
    record = _local(problem)
    types = [f"Deserialized.{name}" for name in problem.exception_types]
    exception = record.get("Exception")
    exception.set("SerializedRemoteException", Thing("x", {"PSObject": Thing("PSObject", {"TypeNames": types})}))
    exception.set("PSObject", Thing("PSObject", {"TypeNames": ["System.Management.Automation.RemoteException"]}))
    return record
