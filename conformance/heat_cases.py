"""Cases for the template language from a seed: expressions, conditions, parameters, environments, right and wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

HOT = (
    "2013-05-23",
    "2014-10-16",
    "2015-04-30",
    "2015-10-15",
    "2016-04-08",
    "2016-10-14",
    "2017-02-24",
    "2017-09-01",
    "2018-03-02",
    "2018-08-31",
    "2021-04-16",
    "newton",
    "ocata",
    "pike",
    "queens",
    "rocky",
    "wallaby",
)
VERSIONS = (
    *(("heat_template_version", name) for name in HOT),
    ("AWSTemplateFormatVersion", "2010-09-09"),
    ("HeatTemplateFormatVersion", "2012-12-12"),
)
WITH_CONDITIONS = (*HOT[5:], "2010-09-09")
PARAMETERS: dict[str, tuple[str, Any]] = {
    "word": ("string", "seed"),
    "empty": ("string", ""),
    "count": ("number", 7),
    "ratio": ("number", 2.5),
    "flag": ("boolean", True),
    "names": ("comma_delimited_list", ["a", "b", "c"]),
    "map": ("json", {"k": "v", "n": {"x": [1, 2, {"y": "z"}]}, "list": ["p", "q"]}),
}
CFN_TYPES = {
    "string": "String",
    "number": "Number",
    "boolean": "Boolean",
    "comma_delimited_list": "CommaDelimitedList",
    "json": "Json",
}
ATTRIBUTES = {
    "one": {"name": "first", "ips": ["10.0.0.1", "10.0.0.2"], "deep": {"a": [{"b": "c"}]}, "none": None, "n": 5},
    "two": {"name": "second", "refs": ["x", "y"], "empty": []},
}
FILES = {"script.sh": "#!/bin/sh\necho $name\n", "empty.txt": ""}
WORDS = ("a", "b", "seed", "x,y,z", "$name is %n%", "", "tané", "10", "a b", "x-y", "$n$n", "1,2")


class Cases:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.version = ""

    def some(self, count: int) -> Iterator[dict[str, Any]]:
        makers: list[tuple[int, Callable[[], dict[str, Any]]]] = [
            (70, self.expression),
            (12, self.condition),
            (10, self.parameter),
            (5, self.template),
            (3, self.environments),
        ]
        weights = [weight for weight, _ in makers]
        for number in range(count):
            # Versions in turn, so that each has its share whatever the seed.
            self.key, self.version = VERSIONS[number % len(VERSIONS)]
            yield self.random.choices(makers, weights)[0][1]()

    # ------------------------------------------------------------------------------------------------ documents

    @property
    def cfn(self) -> bool:
        return self.key != "heat_template_version"

    def document(self, **sections: Any) -> dict[str, Any]:
        resources = {name: {"Type" if self.cfn else "type": "OS::Heat::None"} for name in ATTRIBUTES}
        if self.cfn:
            parameters = {
                name: {"Type": CFN_TYPES[kind], "Default": self.default(kind, value)}
                for name, (kind, value) in PARAMETERS.items()
            }
            made = {self.key: self.version, "Parameters": parameters, "Resources": resources}
            made["Mappings"] = {"Regions": {"east": {"image": "i-1", "size": "s"}, "west": {"image": "i-2"}}}
        else:
            parameters = {name: {"type": kind, "default": value} for name, (kind, value) in PARAMETERS.items()}
            made = {self.key: self.version, "parameters": parameters, "resources": resources}
        if self.version in WITH_CONDITIONS:
            yes, no = self.fixed(True), self.fixed(False)
            made["Conditions" if self.cfn else "conditions"] = {"yes": yes, "no": no}
        for name, section in sections.items():
            made[name] = {**made.get(name, {}), **section}
        return made

    def default(self, kind: str, value: Any) -> Any:
        return ",".join(value) if kind == "comma_delimited_list" and not self.random.randrange(2) else value

    def fixed(self, value: bool) -> Any:
        name = "Fn::Equals" if self.cfn else "equals"
        return {name: ["same", "same" if value else "other"]}

    def case(self, what: str, template: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"what": what, "template": template, "attributes": ATTRIBUTES, "files": FILES, "parameters": {}, **more}

    # -------------------------------------------------------------------------------------------------- values

    def maybe(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def word(self) -> str:
        return self.random.choice(WORDS)

    def scalar(self) -> Any:
        return self.random.choice([self.word(), self.word(), 5, 0, -1, 2.5, True, False, None])

    def text(self, depth: int = 0) -> Any:
        """What is, or becomes, a string; now and then something else."""
        if self.maybe(7):
            return self.anything(depth)
        if depth < 3 and self.maybe(35):
            return self.call(depth + 1)
        return self.word()

    def items(self, depth: int = 0, of: Callable[..., Any] | None = None) -> Any:
        if self.maybe(7):
            return self.anything(depth)
        if depth < 3 and self.maybe(20):
            return self.call(depth + 1)
        return [(of or self.text)(depth + 1) for _ in range(self.random.randrange(4))]

    def map(self, depth: int = 0) -> Any:
        if self.maybe(7):
            return self.anything(depth)
        if depth < 3 and self.maybe(15):
            return self.call(depth + 1)
        keys = self.random.sample(["k", "n", "$name", "%n%", "$n", "a", "x", "a b"], self.random.randrange(4))
        return {key: self.text(depth + 1) for key in keys}

    def anything(self, depth: int = 0) -> Any:
        made = self.random.randrange(4 if depth < 3 else 1)
        if made == 1:
            return [self.scalar() for _ in range(self.random.randrange(3))]
        if made == 2:
            return {"k": self.scalar(), "list": [self.word()]}
        if made == 3:
            return self.call(depth + 1)
        return self.scalar()

    def index(self) -> Any:
        return self.random.choice([0, 1, -1, "0", "1", "k", "n", "x", "list", "y", 9, "nope", True])

    # ----------------------------------------------------------------------------------------------- functions

    def call(self, depth: int = 0) -> Any:
        """A function of this version, mostly; its arguments are right, mostly."""
        names = AWS if self.cfn or (self.version == "2013-05-23" and self.maybe(40)) or self.maybe(3) else HOT_NAMES
        name = self.random.choice(names)
        arguments = self.anything(depth + 1) if self.maybe(4) else getattr(self, MAKERS[name])(depth)
        if isinstance(arguments, list) and arguments and self.maybe(3):
            arguments.pop()
        return {name: arguments}

    def a_param(self, depth: int) -> Any:
        name = self.random.choice([*PARAMETERS, "missing", "OS::stack_name", "OS::project_id", "OS::stack_id"])
        if self.maybe(50):
            return name
        return [name, *(self.index() for _ in range(self.random.randrange(4)))]

    def a_resource(self, depth: int) -> Any:
        return self.random.choice(["one", "two", "one", "none"])

    def a_attr(self, depth: int) -> Any:
        name = self.random.choice(["one", "one", "two"])
        if self.maybe(8):
            return [name]
        attribute = self.random.choice([*ATTRIBUTES[name]])
        path = [self.random.choice([0, 1, "a", "b", "0", 7]) for _ in range(self.random.randrange(4))]
        return [name, attribute, *path]

    def a_att(self, depth: int) -> Any:
        name = self.random.choice(["one", "two"])
        return [name, self.random.choice([*ATTRIBUTES[name]])]

    def a_ref(self, depth: int) -> Any:
        return self.random.choice([*PARAMETERS, "one", "two", "missing", "AWS::StackName", "AWS::Region"])

    def a_file(self, depth: int) -> Any:
        return self.random.choice([*FILES, "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/"])

    def a_join(self, depth: int) -> Any:
        more = [self.items(depth)] if self.maybe(25) else []
        return [self.text(depth + 2) if self.maybe(20) else ",", self.items(depth), *more]

    def a_replace(self, depth: int) -> Any:
        return {"template": self.text(depth), "params": self.map(depth)}

    def a_aws_replace(self, depth: int) -> Any:
        return [self.map(depth), self.text(depth)]

    def a_split(self, depth: int) -> Any:
        more = [self.index()] if self.maybe(40) else []
        return [self.random.choice([",", " ", "$", ""]), self.text(depth), *more]

    def a_aws_split(self, depth: int) -> Any:
        return [self.random.choice([",", " ", "$"]), self.text(depth)]

    def a_repeat(self, depth: int) -> Any:
        keys = self.random.sample(["%a%", "%b%", "$n"], self.random.randrange(1, 3))
        body = self.random.choice(["%a%-%b%", {"port": "%a%", "$n": ["%b%"]}, ["%a%", 5, "$n"]])
        over = {key: self.items(depth) if self.maybe(80) else self.map(depth) for key in keys}
        made = {"template": self.text(depth) if self.maybe(20) else body, "for_each": over}
        if self.maybe(30):
            made["permutations"] = self.random.choice([True, False, False, "no"])
        return made

    def a_digest(self, depth: int) -> Any:
        return [self.random.choice(["md5", "sha1", "sha256", "sha512", "SHA256", "nope"]), self.text(depth)]

    def a_merge(self, depth: int) -> Any:
        return [self.map(depth) for _ in range(self.random.randrange(1, 4))]

    def a_map_replace(self, depth: int) -> Any:
        parts = {"keys": {"k": self.random.choice(["n", "new", None])}, "values": {"seed": "leaf", "v": "w"}}
        chosen = {key: parts[key] for key in self.random.sample(list(parts), self.random.randrange(3))}
        return [self.map(depth), chosen]

    def a_facade(self, depth: int) -> Any:
        return self.random.choice(["metadata", "deletion_policy", "update_policy", "Metadata", "DeletionPolicy"])

    def a_concat(self, depth: int) -> Any:
        return [self.items(depth) for _ in range(self.random.randrange(1, 4))]

    def a_filter(self, depth: int) -> Any:
        return [self.items(depth), self.items(depth)]

    def a_contains(self, depth: int) -> Any:
        return [self.text(depth), self.items(depth)]

    def a_url(self, depth: int) -> Any:
        parts = {
            "scheme": self.random.choice(["http", "https", "a:b"]),
            "username": self.word(),
            "password": self.word(),
            "host": self.random.choice(["example.org", "::1", "[fe80::1]", {"get_attr": ["one", "name"]}]),
            "port": self.random.choice([80, "8080", 0, 70000, "x", {"get_param": "count"}]),
            "path": self.random.choice(["/a b", "/v1/é", ""]),
            "query": {"q": self.word(), "path": "/x/y"},
            "fragment": self.word(),
        }
        return {key: parts[key] for key in self.random.sample(list(parts), self.random.randrange(1, 8))}

    def a_yaql(self, depth: int) -> Any:
        expression = self.random.choice(
            [
                "$.data.l.len()",
                "$.data.l.where($ != a)",
                "$.data.l.select($ + x)",
                "$.data.n.sum()",
                "dict($.data.l.select([$, 1]))",
                "$.data.map.keys().orderBy($)",
                "$.data.nope",
                "$.data.l.",
                "range(5)",
                "$.data.l.distinct()",
                "range(1000).toList()",
                "$.data.l.join(', ')",
            ]
        )
        data = {"l": self.random.choice([["a", "b", "a"], {"get_param": "names"}]), "n": [3, 2, 1], "map": {"x": 1}}
        return {"expression": expression, "data": data}

    def a_if(self, depth: int) -> Any:
        condition = self.random.choice(["yes", "no", "yes", "no", True, False, "never", self.logic(depth + 1)])
        rest = [self.text(depth), self.text(depth)]
        return [condition, *rest[: 1 if self.maybe(20) else 2]]

    def a_select(self, depth: int) -> Any:
        return [self.index(), self.random.choice([self.items(depth), self.map(depth), '{"k": [1]}', '["j"]', ""])]

    def a_find(self, depth: int) -> Any:
        regions = self.random.choice(["Regions", "Regions", "Nowhere"])
        return [regions, self.random.choice(["east", "west", "north"]), self.random.choice(["image", "size"])]

    def a_members(self, depth: int) -> Any:
        members = [".member.0.Name=k", ".member.0.Value=v=1", ".member.1.Name=n", ".member.2.Value=x", "other=1"]
        return ["Name", "Value", self.random.sample(members, self.random.randrange(5))]

    def a_word(self, depth: int) -> Any:
        return self.word()

    def a_text(self, depth: int) -> Any:
        return self.text(depth)

    # ----------------------------------------------------------------------------------------------- conditions

    def logic(self, depth: int = 0) -> Any:
        prefix = "Fn::" if self.cfn else ""
        kind = self.random.choice(["equals", "equals", "not", "and", "or", "name", "yaql", "contains", "wrong"])
        if depth > 3 or kind == "name":
            return self.random.choice(["yes", "no", True, False, "never"])
        if kind == "equals":
            return {f"{prefix}{self.cased('equals')}": [self.compared(), self.compared()]}
        if kind == "not":
            inner = self.logic(depth + 1)
            return {f"{prefix}{self.cased('not')}": [inner] if self.cfn or self.maybe(5) else inner}
        if kind in ("and", "or"):
            several = [self.logic(depth + 1) for _ in range(self.random.randrange(1, 4))]
            return {f"{prefix}{self.cased(kind)}": several}
        if kind == "yaql":
            return {"yaql": {"expression": "$.data.x = 1", "data": {"x": self.random.choice([1, 2])}}}
        if kind == "contains":
            return {"contains": [self.word(), [self.word(), "a"]]}
        return self.call(3)

    def cased(self, name: str) -> str:
        return name.capitalize() if self.cfn else name

    def compared(self) -> Any:
        name = self.random.choice([*PARAMETERS])
        return self.random.choice([self.scalar(), {"Ref" if self.cfn else "get_param": name}, self.word()])

    # --------------------------------------------------------------------------------------------- whole cases

    def expression(self) -> dict[str, Any]:
        return self.case("expression", self.document(), expression={"tested": self.call(), "kept": 1})

    def condition(self) -> dict[str, Any]:
        if self.version not in WITH_CONDITIONS:
            return self.expression()
        section = "Conditions" if self.cfn else "conditions"
        return self.case("condition", self.document(**{section: {"tested": self.logic()}}))

    def parameter(self) -> dict[str, Any]:
        kind = self.random.choice([*CFN_TYPES])
        rules = self.random.sample([*RULES], self.random.randrange(3))
        values = [
            "seed",
            "",
            "tané",
            "5",
            5,
            12,
            2.5,
            "x",
            "true",
            "no",
            True,
            "a,b",
            ["a", "b"],
            [],
            {"k": 1},
            '{"k": 2}',
            "[",
        ]
        given = self.random.choice(values)
        default = {} if self.maybe(70) else {"Default" if self.cfn else "default": self.random.choice(values)}
        if self.cfn:
            declared: dict[str, Any] = {"Type": CFN_TYPES[kind], **default}
            for rule in rules:
                declared.update(RULES[rule][1])
            section = "Parameters"
        else:
            described = {"description": "a rule"} if self.maybe(15) else {}
            constraints = [{rule: RULES[rule][0], **described} for rule in rules]
            declared = {"type": kind, **default, **({"constraints": constraints} if constraints else {})}
            section = "parameters"
        if self.maybe(6):
            declared["nonsense"] = 1
        values_given = {} if self.maybe(10) else {"tested": given}
        document = self.document(**{section: {"tested": declared}})
        return self.case("parameter", document, parameters=values_given, name="tested")

    def template(self) -> dict[str, Any]:
        """A document with something that may be wrong with it."""
        document = self.document()
        resources = document["Resources" if self.cfn else "resources"]
        wrong = self.random.choice(WRONG_CFN if self.cfn else WRONG_HOT)
        resources["three"] = wrong if not isinstance(wrong, dict) else dict(wrong)
        if self.maybe(30):
            section, content = self.random.choice(WRONG_SECTIONS)
            document[section] = content
        if self.maybe(10):
            document[self.key] = self.random.choice(["2013-05-24", "mitaka", 20130523, None])
        return self.case("template", document)

    def environments(self) -> dict[str, Any]:
        made = []
        for _ in range(self.random.randrange(1, 4)):
            chosen = self.random.sample([*MERGED], self.random.randrange(1, 4))
            one: dict[str, Any] = {"parameters": {name: self.random.choice(MERGED[name]) for name in chosen}}
            if self.maybe(60):
                strategy = {name: self.random.choice(["merge", "deep_merge", "overwrite"]) for name in chosen}
                one["parameter_merge_strategies"] = strategy if self.maybe(60) else {"default": "merge"}
            made.append(one)
        return self.case("environment", self.document(), environments=made)


RULES: dict[str, tuple[Any, dict[str, Any]]] = {
    "length": ({"min": 2, "max": 4}, {"MinLength": 2, "MaxLength": 4}),
    "range": ({"min": 3, "max": 10}, {"MinValue": 3, "MaxValue": 10}),
    "modulo": ({"step": 5, "offset": 2}, {"MinValue": "2"}),
    "allowed_values": (["seed", "a", 5, "b"], {"AllowedValues": ["seed", "a", 5, "b"]}),
    "allowed_pattern": ("[a-z]+|[a-z]+5", {"AllowedPattern": "[a-z]+|[a-z]+5"}),
}
MERGED: dict[str, list[Any]] = {
    "word": ["x", "y"],
    "count": [1, 2],
    "flag": [True, False],
    "names": [["x"], ["y", "z"], "p,q"],
    "map": [{"k": "1", "n": {"a": "1"}}, {"k": "2", "n": {"b": ["2"]}}, '{"j": "3"}'],
}
WRONG_HOT: tuple[Any, ...] = (
    {},
    "text",
    {"type": None},
    {"type": 5},
    {"typo": "OS::Heat::None"},
    {"type": "OS::Heat::None", "nonsense": 1},
    {"type": "OS::Heat::None", "properties": None},
    {"type": "OS::Heat::None", "properties": []},
    {"type": "OS::Heat::None", "metadata": "x"},
    {"type": "OS::Heat::None", "depends_on": 5},
    {"type": "OS::Heat::None", "depends_on": ["one", 5]},
    {"type": "OS::Heat::None", "depends_on": "one"},
    {"type": "OS::Heat::None", "deletion_policy": "keep"},
    {"type": "OS::Heat::None", "deletion_policy": "retain"},
    {"type": "OS::Heat::None", "update_policy": []},
    {"type": "OS::Heat::None", "condition": "yes"},
    {"type": "OS::Heat::None", "condition": "never"},
    {"type": "OS::Heat::None", "condition": {"not": "yes"}},
    {"type": "OS::Heat::None", "condition": {"get_attr": ["one", "name"]}},
    {"type": "OS::Heat::None", "external_id": "x"},
    {"type": "OS::Heat::None", "properties": {"a": {"list_join": "x"}}},
    {"type": "OS::Heat::None", "properties": {"a": {"Ref": "one"}}},
    {"type": "OS::Heat::None", "properties": {"a": {"repeat": {"template": 1}}}},
)
WRONG_CFN: tuple[Any, ...] = (
    {},
    "text",
    {"Type": 5},
    {"type": "OS::Heat::None"},
    {"Type": "OS::Heat::None", "Properties": []},
    {"Type": "OS::Heat::None", "DependsOn": {"a": 1}},
    {"Type": "OS::Heat::None", "DependsOn": ["one"]},
    {"Type": "OS::Heat::None", "DeletionPolicy": "Keep"},
    {"Type": "OS::Heat::None", "Condition": "yes"},
    {"Type": "OS::Heat::None", "Properties": {"a": {"Fn::Join": [","]}}},
    {"Type": "OS::Heat::None", "Properties": {"a": {"Fn::GetAtt": ["one"]}}},
)
WRONG_SECTIONS: tuple[tuple[str, Any], ...] = (
    ("nonsense", {}),
    ("outputs", {"o": {"value": 1, "description": "d"}}),
    ("outputs", {"o": {}}),
    ("outputs", {"o": "x"}),
    ("outputs", {"o": {"value": {"str_split": "x"}}}),
    ("conditions", {"c": "yes"}),
    ("conditions", {"c": {"get_attr": ["one", "name"]}}),
    ("conditions", []),
    ("parameter_groups", [{"label": "g", "parameters": ["word", "word"]}]),
    ("parameter_groups", [{"label": "g"}]),
    ("parameter_groups", {}),
    ("parameter_groups", [{"parameters": ["nope"]}]),
)
MAKERS = {
    "get_param": "a_param",
    "get_resource": "a_resource",
    "get_attr": "a_attr",
    "get_file": "a_file",
    "list_join": "a_join",
    "str_replace": "a_replace",
    "str_replace_strict": "a_replace",
    "str_replace_vstrict": "a_replace",
    "str_split": "a_split",
    "repeat": "a_repeat",
    "digest": "a_digest",
    "map_merge": "a_merge",
    "map_replace": "a_map_replace",
    "resource_facade": "a_facade",
    "list_concat": "a_concat",
    "list_concat_unique": "a_concat",
    "filter": "a_filter",
    "contains": "a_contains",
    "make_url": "a_url",
    "yaql": "a_yaql",
    "if": "a_if",
    "Fn::If": "a_if",
    "Fn::GetAZs": "a_word",
    "Ref": "a_ref",
    "Fn::GetAtt": "a_att",
    "Fn::Select": "a_select",
    "Fn::Join": "a_join",
    "Fn::Split": "a_aws_split",
    "Fn::Replace": "a_aws_replace",
    "Fn::Base64": "a_text",
    "Fn::MemberListToMap": "a_members",
    "Fn::ResourceFacade": "a_facade",
    "Fn::FindInMap": "a_find",
}
AWS = [name for name in MAKERS if name == "Ref" or name.startswith("Fn::")]
HOT_NAMES = [name for name in MAKERS if name not in AWS]
