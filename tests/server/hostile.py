"""A corpus of hostile requests: what no client of good will sends, drawn from a seed, the same each time.

Each family is one way of trying. What is valid in them is the schema's own: operations of the documentation are bent,
arguments get what they do not take, ids and cursors are made up or another's.
"""

from __future__ import annotations

import json
import random
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    is_input_object_type,
    is_leaf_type,
)

# What a body may hold: anything.
Json = Any

JSON = {"content-type": "application/json", "accept": "application/json"}
NASTY = (
    "",
    " ",
    "\0",
    "\0\0admin",
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "%",
    "_" * 200,
    "\\",
    '"',
    "\u202egnp.exe",
    "\ufeff",
    "\ud7ff\ue000",
    "é" * 999,
    "x" * 100_000,
    "=?utf-8?q?=41?=",
    "a@b@c",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "../../../../etc/passwd",
    "-1",
    "1e309",
    "null",
    "[object Object]",
    "\r\nSet-Cookie: x=1",
    "\U0001d54f" * 300,
    "2024-02-30T00:00:00Z",
    "9999-12-31T23:59:59.999999+23:59",
    "0001-01-01T00:00:00-23:59",
)
NUMBERS = (0, -1, 1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308)
VALUES: tuple[Json, ...] = (
    *NASTY,
    *NUMBERS,
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": 1},
    {"__proto__": {}},
    [1] * 300,
)
TOKENS = (
    *"{}()[]:!=|&$@",
    "...",
    "query",
    "mutation",
    "subscription",
    "fragment",
    "on",
    "true",
    "null",
    "viewer",
    "node",
    "id",
    "__typename",
    "__schema",
    "$x",
    "@skip",
    "@include",
    "@deprecated",
    "0",
    "-",
    "1e5",
    "00",
    '"',
    '"""',
    '"\\u{110000}"',
    '"\\ud800"',
    "#",
    "\ufeff",
    "\0",
    "&",
    "type X {",
    "extend schema",
    "{a:1}",
)


@dataclass(frozen=True)
class Attack:
    """One request. `signed_in` says whether it goes out with somebody's token."""

    family: str
    body: bytes
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    signed_in: bool = False


class Corpus:
    """Draws attacks on a schema; `documents` are good operations, `ids` and `cursors` somebody else's."""

    def __init__(
        self,
        schema: GraphQLSchema,
        documents: Sequence[str],
        ids: Sequence[str],
        cursors: Sequence[str],
        seed: int,
    ) -> None:
        self._schema = schema
        self._documents = documents
        self._ids = ids
        self._cursors = cursors
        self._random = random.Random(seed)

    def attacks(self, number: int) -> Iterator[Attack]:
        """So many, of every family in turn."""
        families: list[tuple[str, Callable[[], Attack]]] = [
            (name.removeprefix("_of_"), getattr(self, name))
            for name in sorted(dir(self))
            if name.startswith("_of_")
        ]
        for place in range(number):
            name, draw = families[place % len(families)]
            attack = draw()
            yield Attack(name, attack.body, attack.method, attack.headers, self._random.random() < 0.6)

    def _asking(self, query: Json, variables: Json = None, **more: Json) -> Attack:
        body = {"query": query, **({} if variables is None else {"variables": variables}), **more}
        return Attack("", json.dumps(body).encode())

    # ------------------------------------------------------------ bodies

    def _of_bytes(self) -> Attack:
        return Attack("", self._random.randbytes(self._random.randrange(300)))

    def _of_torn_json(self) -> Attack:
        text = json.dumps(
            {"query": self._random.choice(self._documents), "variables": {"a": [1, {"b": None}]}}
        ).encode()
        cut = self._random.randrange(len(text))
        return Attack(
            "", self._random.choice([text[:cut], text[cut:], text + text[:cut], text.replace(b'"', b"'")])
        )

    def _of_nesting(self) -> Attack:
        depth = self._random.choice([10, 200, 1_000, 1_023, 1_025, 20_000])
        opening, closing = self._random.choice([("[", "]"), ('{"a":', "}")])
        inner = opening * depth + "1" + closing * depth
        key = self._random.choice(["variables", "query", "extensions", "operationName", "x"])
        return Attack("", f'{{"query":"{{viewer{{id}}}}","{key}":{inner}}}'.encode())

    def _of_members(self) -> Attack:
        body = {
            name: self._random.choice(VALUES)
            for name in ("query", "variables", "operationName", "extensions")
        }
        if self._random.random() < 0.7:
            body["query"] = self._random.choice(self._documents)
        return Attack("", json.dumps(body).encode())

    def _of_raw_numbers(self) -> Attack:
        number = self._random.choice(
            ["1e999", "-1e999", "9" * 5_000, "NaN", "Infinity", "0x10", "1" + "0" * 400, "-0"]
        )
        query = "query ($n: Int) { users(first: $n) { totalCount } }"
        return Attack("", f'{{"query":"{query}","variables":{{"n":{number}}}}}'.encode())

    def _of_batches(self) -> Attack:
        return Attack(
            "",
            json.dumps(
                [{"query": self._random.choice(self._documents)}] * self._random.randrange(9)
            ).encode(),
        )

    # ------------------------------------------------------------ doors

    def _of_headers(self) -> Attack:
        name = self._random.choice(
            [
                "accept",
                "content-type",
                "authorization",
                "cookie",
                "origin",
                "host",
                "content-encoding",
                "x-forwarded-for",
            ]
        )
        value = self._random.choice(
            [
                "Bearer " + "x" * self._random.choice([1, 5_000]),
                "Bearer e30.e30.e30",
                "Bearer eyJhbGciOiJub25lIn0.eyJzaWQiOiJ4In0.",
                "Basic Zm9vOmJhcg==",
                "postfach_access=x; postfach_refresh=y; __Host-postfach_access=z",
                "null",
                "https://evil.example",
                "application/graphql-response+json;q=0.0000001, */*;q=2",
                "multipart/mixed; deferSpec=20220824",
                "text/event-stream",
                ";;;,,,q=;=",
                "application/json; charset=utf-7",
                "gzip, br",
                "[::1",
                "127.0.0.1, 10.0.0.1",
                "\xff\xfe",
            ]
        )
        attack = self._asking(self._random.choice(self._documents))
        return Attack("", attack.body, headers={**JSON, name: value})

    def _of_methods(self) -> Attack:
        method = self._random.choice(
            ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "post"]
        )
        return Attack("", self._asking("{ viewer { id } }").body, method=method)

    def _of_forms(self) -> Attack:
        kind, body = self._random.choice(
            [
                ("application/x-www-form-urlencoded", b"query=%7Bviewer%7Bid%7D%7D"),
                ("text/plain", b'{"query":"{viewer{id}}"}'),
                ("application/graphql", b"{ viewer { id } }"),
                (
                    "multipart/form-data; boundary=x",
                    b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{"query":"{viewer{id}}"}\r\n--x--',
                ),
            ]
        )
        return Attack("", body, headers={**JSON, "content-type": kind})

    # ------------------------------------------------------------ documents

    def _of_token_soup(self) -> Attack:
        return self._asking(" ".join(self._random.choices(TOKENS, k=self._random.randrange(1, 60))))

    def _of_bent_documents(self) -> Attack:
        text = list(self._random.choice(self._documents))
        for _ in range(self._random.randrange(1, 6)):
            place = self._random.randrange(len(text))
            match self._random.randrange(4):
                case 0:
                    del text[place]
                case 1:
                    text.insert(place, self._random.choice(TOKENS))
                case 2:
                    text[place] = chr(self._random.choice([0, 34, 92, 123, 125, 0x202E, 0xFFFF, 0x1F600]))
                case _:
                    text[place:place] = text[place : place + 40]
        return self._asking("".join(text))

    def _of_fragments(self) -> Attack:
        length = self._random.choice([3, 30, 300])
        shape = self._random.choice(
            ["...F{1} ...F{1}", "...F{1}", "...F{0}", "...F{1} ...F0", "viewer {{ id }} ...F{1}"]
        )
        chain = " ".join(f"fragment F{n} on Query {{ {shape.format(n, n + 1)} }}" for n in range(length))
        end = self._random.choice(
            [
                f"fragment F{length} on Query {{ viewer {{ id }} }}",
                "",
                "fragment F0 on Mutation { signOut { errors { code } } }",
            ]
        )
        return self._asking(f"{{ ...F0 }} {chain} {end}")

    def _of_overlaps(self) -> Attack:
        # Fields of equal names, whose selections have to be merged.
        many = self._random.choice([5, 40, 120])
        inner = " ".join(["nodes { id ...F }"] * many)
        return self._asking(
            f"{{ users {{ {inner} }} }} fragment F on User {{ {'mailboxes { nodes { id } } ' * 20} }}"
        )

    def _of_floods(self) -> Attack:
        many = self._random.choice([10, 500, 5_000, 70_000])
        return self._asking(
            self._random.choice(
                [
                    "{" + "".join(f"a{n}:viewer{{id}}" for n in range(min(many, 5_000))) + "}",
                    "{ viewer " + "@skip(if:false)" * many + "{ id } }",
                    "{" + "viewer{" * min(many, 300) + "id" + "}" * (min(many, 300) + 1),
                    "{ nodes(ids: [" + '"x" ' * many + "]) { id } }",
                    "#" * many + "\n" + "#\n" * min(many, 900) + "{ viewer { id } }",
                    '{ mailbox(address: "' + "x" * many + '") { id } }',
                    "query " + "N" * many + " { viewer { id } }",
                    "".join(f"query Q{n} {{ viewer {{ id }} }} " for n in range(min(many, 2_000))),
                    "query ("
                    + "".join(f"$v{n}: Int " for n in range(min(many, 2_000)))
                    + ") { viewer { id } }",
                    "{ node(id: " + "[" * min(many, 250) + "]" * min(many, 250) + ") { id } }",
                ]
            )
        )

    def _of_introspection(self) -> Attack:
        depth = self._random.randrange(1, 30)
        part = self._random.choice(["fields { type {", "ofType {", "possibleTypes {", "interfaces {"])
        closing = "}" * (depth * part.count("{"))
        return self._asking(f"{{ __schema {{ types {{ {part * depth} name {closing} }} }} }}")

    # ------------------------------------------------------------ arguments

    def _of_arguments(self) -> Attack:
        roots = [self._schema.query_type, self._schema.mutation_type]
        root = roots[self._random.random() < 0.5]
        assert root is not None
        name, definition = self._random.choice(sorted(root.fields.items()))
        kind = "query" if root is self._schema.query_type else "mutation"
        named = get_named_type(definition.type)
        selection = "" if is_leaf_type(named) else "{ __typename }"
        declared, passed, variables = [], [], {}
        for argument, each in definition.args.items():
            if isinstance(each.type, GraphQLNonNull) or self._random.random() < 0.6:
                declared.append(f"${argument}: {each.type}")
                passed.append(f"{argument}: ${argument}")
                variables[argument] = self._value(each)
        head = f"({', '.join(declared)})" if declared else ""
        arguments = f"({', '.join(passed)})" if passed else ""
        return self._asking(f"{kind} {head} {{ {name}{arguments} {selection} }}", variables)

    def _value(self, argument: GraphQLArgument | Json, depth: int = 0) -> Json:
        named = get_named_type(argument.type)
        if self._random.random() < 0.15:
            return self._random.choice(VALUES)
        if is_input_object_type(named) and depth < 4:
            found = {name: self._value(each, depth + 1) for name, each in named.fields.items()}
            return found if self._random.random() < 0.9 else {**found, self._random.choice(NASTY): 1}
        drawn = self._leaf(str(named))
        return [drawn] * self._random.choice([0, 1, 3, 101]) if "[" in str(argument.type) else drawn

    def _leaf(self, named: str) -> Json:
        match named:
            case "ID":
                return self._random.choice([*self._ids, *map(_bent, self._ids), *NASTY])
            case "Int":
                return self._random.choice(NUMBERS)
            case "Boolean":
                return self._random.choice([True, False, "true", 1])
            case "String":
                return self._random.choice([*NASTY, *self._cursors, *map(_bent, self._cursors), *self._ids])
        found = self._schema.type_map.get(named)
        values = list(getattr(found, "values", {})) or [*NASTY]
        return self._random.choice([*values, "NOPE"])

    def _of_literals(self) -> Attack:
        literal = self._random.choice(
            [
                "null",
                "[[[[]]]]",
                "{a: {b: 1}}",
                "-0",
                "1e999",
                "9" * 999,
                '"\\u0000"',
                '"""\\"""\n"""',
                "TRUE",
                "$x",
                "{}",
                "[null]",
            ]
        )
        argument = self._random.choice(
            ["first", "last", "after", "before", "filter", "search", "state", "nope"]
        )
        field_name = self._random.choice(["activities", "users", "mailboxes", "agencies"])
        return self._asking(
            f"{{ {field_name}({argument}: {literal}) {{ totalCount pageInfo {{ endCursor }} }} }}"
        )

    def _of_cursors(self) -> Attack:
        made = urlsafe_b64encode(
            json.dumps([self._random.choice(VALUES) for _ in range(self._random.randrange(4))]).encode()
        ).decode()
        cursor = self._random.choice([made, made.rstrip("="), *self._cursors, *map(_bent, self._cursors)])
        query = "query ($c: String) { activities(after: $c, before: $c, first: 3) { nodes { id } pageInfo { hasNextPage } } }"
        return self._asking(query, {"c": cursor})


def _bent(text: str) -> str:
    return text[::-1] if len(text) % 2 else text[:-1] + "A"
