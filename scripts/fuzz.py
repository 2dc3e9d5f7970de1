#!/usr/bin/env python3
"""Feeds mutated definitions and inputs to the language through SQL.

usage: fuzz.py SECONDS FOLDER...

The folders hold conformance cases, which are what is mutated.  Each trial is
validated, its states are tested one by one, and it is published, started and
driven to its end; then everything is rolled back.  It goes wrong when the
server goes down, when a call hangs, when an error comes from inside the server
or has no code of its own, when validate and publish disagree, or when memory
grows from trial to trial.

What went wrong is printed with the definition and the input; the exit code is
1 then.  SEED=n repeats a run.  The server is found by PGHOST and the like; the
role has to be a superuser.  The extension has to be there.
"""

import copy
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

BATCH = 100
MEMORY_MARGIN = 8 * 1024 * 1024
SETUP = pathlib.Path(__file__).with_suffix(".sql")

PATHS = [
    "$", "$$", "$.a", "$.a.b", "$.a[0]", "$.a[-1]", "$.a[*]", "$..b", "$.*", "$[?(@.a>1)]",
    "$.a[1:2]", "$.a[::2]", "$.a[0,1]", "$['a','b']", "$['a']", "$.a.length()", "$[(@.length-1)]",
    "$v", "$v.a", "$$.Map.Item.Value", "$$.Map.Item.Index", "$$.Execution.Id", "$$.Task.Token",
    "$$.State", "$.", "$[", "$[']", "$..", "$.a..", "$[?(", "$[?(@.a=='x' && !(@.b<=1.5e3))]",
    "$[99999999999999999999]", "$['\\u0041']", "$.\u00e9\u4e2d", "", " ", "$ ", "@", "$.a b",
]
CALLS = [
    "States.Format('{} {}', $.a, 1)", "States.Format('\\{\\}{}', $)", "States.Array($, 1, 'x', null)",
    "States.ArrayPartition($.a, 2)", "States.ArrayContains($.a, 1)", "States.ArrayRange(1, 10, 3)",
    "States.ArrayRange(0, 99999999999, 1)", "States.ArrayGetItem($.a, 0)", "States.ArrayLength($.a)",
    "States.ArrayUnique($.a)", "States.Base64Encode('x')", "States.Base64Decode('////')",
    "States.Base64Decode('gICA')", "States.Hash($, 'SHA-256')", "States.JsonMerge($, $, false)",
    "States.StringToJson('{\"a\":[1,2]}')", "States.StringToJson('[[[[')", "States.JsonToString($)",
    "States.MathRandom(1, 5)", "States.MathAdd(1, -1e308)", "States.StringSplit('a,b', ',')",
    "States.UUID()", "States.Format(States.Format(States.Format('{}', 1)))", "States.Nope(1)",
    "States.Array(" * 300 + ")" * 300, "States.Format('" + "{}" * 200 + "'" + ", 1" * 200 + ")",
]
EXPRESSIONS = [
    "{% input %}", "{% input->'a' %}", "{% 1/0 %}", "{% context %}", "{% result %}", "{% nope %}",
    "{% (SELECT 1) %}", "{% 1; SELECT 2 %}", "{% %}", "{% 'a' || input->>'a' %}", "{% true %}",
    "{% context->'Map'->'Item'->'Value' %}", "{% generate_series(1, 3) %}", "{% now() %}",
    "{% repeat('x', 300000) %}", "{% null %}", "{% dealix.tick() %}", "{% 'x'::int %}", "{%",
]
SCALARS = [
    None, True, False, 0, -1, 1, 2, 1.5, -0.0, 1e15, 1e300, 99999999, 100000000, 2147483648,
    123456789012345678901234567890, "", "x", "null", "true", "1", "2016-03-14T01:59:00Z",
    "2016-13-14T01:59:00Z", "2024-02-30T00:00:00.123456789+14:00", "States.ALL", "States.Runtime",
    "*", "a*b\\*", "\\", "\u00e9", "\U0001f600", "x" * 70000, "JSONPath", "SQL", "JSONata", "FULL",
    "DISTRIBUTED", "sql:fuzz.echo", "sql:fuzz.fail", "sql:fuzz.none", "sql:", "signal:x",
    "activity:a", "workflow:fuzz", "emit:t", "compensate:", "arn:aws:states:::lambda:invoke",
]
FIELDS = [
    "Type", "Next", "End", "InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector",
    "Result", "Assign", "Output", "Arguments", "Items", "ItemsPath", "ItemSelector", "ItemProcessor",
    "Iterator", "MaxConcurrency", "MaxConcurrencyPath", "ToleratedFailureCount",
    "ToleratedFailurePercentagePath", "Branches", "Choices", "Default", "Variable", "StringMatches",
    "NumericEquals", "TimestampLessThanPath", "IsPresent", "And", "Or", "Not", "Condition", "Seconds",
    "SecondsPath", "Timestamp", "TimestampPath", "Error", "ErrorPath", "Cause", "CausePath", "Retry",
    "Catch", "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds",
    "JitterStrategy", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "Compensate",
    "Governance", "Credentials", "QueryLanguage", "Comment", "a", "b", "a.$", "b.$", "v", "",
]


# What is ours and stands in no recorded case.
OWN_CASES = [{"input": {"a": [1, 2, 3], "b": {"b": "x"}}, "definition": definition} for definition in (
    {"QueryLanguage": "SQL", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Output": {"a": "{% input->'a' %}", "b": "{% 1 + 1 %}"},
              "Assign": {"v": "{% input->'b' %}"}, "Next": "B"},
        "B": {"Type": "Choice", "Default": "D", "Choices": [
            {"Condition": "{% v->>'b' = 'x' %}", "Next": "C", "Assign": {"w": 1}},
            {"Condition": "{% input IS NULL %}", "Next": "D"}]},
        "C": {"Type": "Map", "Items": "{% input->'a' %}", "MaxConcurrency": "{% 2 %}",
              "ItemSelector": {"a": "{% context->'Map'->'Item'->'Value' %}", "v": "{% v %}"},
              "ItemProcessor": {"StartAt": "E", "States": {"E": {
                  "Type": "Task", "Resource": "sql:fuzz.echo", "Arguments": {"a": "{% input->'a' %}"},
                  "Output": "{% result %}", "TimeoutSeconds": "{% 5 %}", "End": True}}},
              "Next": "D"},
        "D": {"Type": "Wait", "Seconds": "{% 0 %}", "Next": "F"},
        "F": {"Type": "Fail", "Error": "{% 'E' %}", "Cause": "{% input::text %}"}}},
    {"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "sql:fuzz.echo", "Compensate": {
            "Resource": "sql:fuzz.echo", "Parameters": {"a.$": "$.output.a"}}, "Next": "B"},
        "B": {"Type": "Parallel", "ResultPath": "$.p", "Next": "C", "Branches": [
            {"StartAt": "B1", "States": {"B1": {"Type": "Task", "Resource": "sql:fuzz.echo", "End": True,
                                                 "Compensate": {"Resource": "sql:fuzz.fail"}}}},
            {"StartAt": "B2", "States": {"B2": {"Type": "Task", "Resource": "sql:fuzz.fail", "End": True,
                                                 "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1,
                                                            "IntervalSeconds": 1}]}}}],
              "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "C"}]},
        "C": {"Type": "Task", "Resource": "compensate:", "Next": "D"},
        "D": {"Type": "Task", "Resource": "signal:go", "TimeoutSeconds": 1, "End": True}}},
)]


class Mutator:
    """Makes trials out of cases."""

    def __init__(self, cases, seed):
        self.random = random.Random(seed)
        self.cases = cases

    def trial(self):
        case = self.random.choice(self.cases)
        definition = copy.deepcopy(case["definition"])
        value = copy.deepcopy(case.get("input", {}))
        self.bind_resources(definition)
        if self.random.random() < 0.5:
            for _ in range(self.random.choice((0, 1, 1, 2))):
                definition = self.mutate(definition, gently=True)
        else:
            for _ in range(self.random.choice((1, 1, 2, 3, 5, 9))):
                definition = self.mutate(definition)
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            value = self.mutate(value)
        if self.random.random() < 0.01:
            value = self.nest(value)
        return definition, value

    def bind_resources(self, value):
        for thing in self.things(value):
            if isinstance(thing, dict) and isinstance(thing.get("Resource"), str):
                thing["Resource"] = self.random.choice(
                    ("sql:fuzz.echo",) * 8 + ("sql:fuzz.fail", thing["Resource"]))

    def things(self, value):
        """The value and everything in it that has parts."""
        found = []
        stack = [value]
        while stack:
            thing = stack.pop()
            if isinstance(thing, (dict, list)):
                found.append(thing)
                stack.extend(thing.values() if isinstance(thing, dict) else thing)
        return found

    def nest(self, value):
        for _ in range(self.random.choice((50, 199, 250, 300, 6000))):
            value = {"a": value} if self.random.random() < 0.5 else [value]
        return value

    def mutate(self, document, gently=False):
        """Changes one place; gently: it may well stay a definition."""
        things = [thing for thing in self.things(document) if thing]
        if not things or (not gently and self.random.random() < 0.01):
            return self.value()
        thing = self.random.choice(things)
        keys = list(thing) if isinstance(thing, dict) else range(len(thing))
        key = self.random.choice(list(keys))
        change = self.random.random()
        if gently:
            self.mutate_gently(thing, key)
        elif change < 0.35:
            thing[key] = self.change(thing[key])
        elif change < 0.5:
            thing[key] = self.value()
        elif change < 0.6:
            del thing[key]
        elif change < 0.7:
            thing[key] = self.foreign()
        elif isinstance(thing, list):
            thing.insert(key, copy.deepcopy(self.random.choice(thing)))
        elif change < 0.9:
            thing[self.random.choice(FIELDS)] = self.value()
        else:
            thing[self.random.choice(FIELDS)] = thing.pop(key)
        return document

    def mutate_gently(self, thing, key):
        value = thing[key]
        if isinstance(value, str) and value.startswith("$"):
            thing[key] = self.random.choice(PATHS)
        elif isinstance(value, str) and value.startswith("States."):
            thing[key] = self.random.choice(CALLS)
        elif isinstance(value, str) and value.startswith("{%"):
            thing[key] = self.random.choice(EXPRESSIONS)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            thing[key] = self.random.choice((0, 1, 2, 7, value + 1))
        elif isinstance(thing, dict) and "Type" in thing:
            name, made = self.random.choice((
                ("Parameters", self.template), ("ResultSelector", self.template),
                ("Assign", self.template), ("Result", self.value), ("ItemSelector", self.template),
                ("InputPath", self.path), ("OutputPath", self.path), ("ItemsPath", self.path),
                ("ResultPath", lambda: self.random.choice(("$.a", "$.a.b", "$", None, "$.a[0]")))))
            thing[name] = made()

    def path(self):
        return self.random.choice(PATHS)

    def template(self):
        return {"a.$": self.random.choice(PATHS + CALLS), "b": {"b.$": self.random.choice(CALLS)},
                "a": self.value()}

    def foreign(self):
        """A part of another case."""
        case = self.random.choice(self.cases)
        things = self.things(self.random.choice((case["definition"], case.get("input"))))
        return copy.deepcopy(self.random.choice(things)) if things else self.value()

    def value(self):
        kind = self.random.random()
        if kind < 0.4:
            return self.random.choice(SCALARS)
        if kind < 0.6:
            return self.random.choice(PATHS)
        if kind < 0.75:
            return self.random.choice(CALLS)
        if kind < 0.85:
            return self.random.choice(EXPRESSIONS)
        if kind < 0.9:
            return [self.value() for _ in range(self.random.randrange(4))]
        return {self.random.choice(FIELDS): self.value() for _ in range(self.random.randrange(4))}

    def change(self, value):
        """Something like the value."""
        if isinstance(value, bool) or value is None:
            return self.value()
        if isinstance(value, (int, float)):
            return self.random.choice((value + 1, -value, value * 1000, value / 3, str(value)))
        if not isinstance(value, str):
            return self.foreign()
        if value.startswith("$") and self.random.random() < 0.3:
            return self.random.choice(PATHS)
        text = list(value)
        for _ in range(self.random.randrange(1, 4)):
            at = self.random.randrange(len(text) + 1)
            if self.random.random() < 0.4 and at < len(text):
                del text[at]
            else:
                text.insert(at, self.random.choice(list("$@.[]()*?:,'\"\\{}%<>=!&|-0159aZ \u00e9\u4e2d")))
        return "".join(text)


class Session:
    """A psql with a connection of its own."""

    def __init__(self):
        # A file, because a pipe that nobody reads fills up.
        self.said = tempfile.TemporaryFile("w+", encoding="utf-8")
        command = ["psql", "-X", "-A", "-t", "-q", "-U", "fuzzer", "-v", "ON_ERROR_STOP=1"]
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self.said, text=True, encoding="utf-8")
        self.peak = None

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()

    def try_all(self, trials):
        """(number, what is wrong) of each bad trial; None: the server is gone."""
        rows = "".join("%d\t%s\t%s\n" % (number, field(definition), field(value))
                       for number, (definition, value) in enumerate(trials))
        script = ("SET statement_timeout = '600s';\nSET client_min_messages = info;\n"
                  "TRUNCATE fuzz.trial;\nCOPY fuzz.trial FROM STDIN;\n" + rows + "\\.\n"
                  "SELECT id || ' ' || replace(wrong, E'\\n', ' ') FROM fuzz.try_all();\n"
                  "SELECT 'memory ' || fuzz.memory();\n\\echo end\n")
        self.psql.stdin.write(script)
        self.psql.stdin.flush()
        wrong = []
        while True:
            line = self.psql.stdout.readline()
            if line == "":
                return None
            if line == "end\n":
                return wrong
            first, _, rest = line.rstrip("\n").partition(" ")
            if first == "memory":
                self.check_memory(int(rest), wrong)
            else:
                wrong.append((int(first), rest))

    def check_memory(self, memory, wrong):
        if self.peak is not None and memory > self.peak + MEMORY_MARGIN:
            wrong.append((0, "memory has grown from %d to %d bytes" % (self.peak, memory)))
        self.peak = max(memory, self.peak or 0)


def field(value):
    text = json.dumps(value)
    for char, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(char, escape)
    return text


def read_cases(folders):
    cases = []
    for folder in folders:
        for file in sorted(pathlib.Path(folder).rglob("*.json")):
            case = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(case, dict) and isinstance(case.get("definition"), dict):
                # Large ones would take the time of many, and JSONata is refused.
                text = json.dumps(case)
                if len(text) < 20000 and '"JSONata"' not in text:
                    cases.append(case)
    return cases


def report(what, trial):
    print("not ok: " + what)
    print("    definition: " + json.dumps(trial[0]))
    print("    input: " + json.dumps(trial[1])[:2000])


def fuzz(seconds, cases, seed):
    """Numbers of trials and of bad ones."""
    mutator = Mutator(cases, seed)
    session = Session()
    tried = bad = batches = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until and bad < 20:
        trials = [mutator.trial() for _ in range(BATCH)]
        wrong = session.try_all(trials)
        if wrong is None:
            session.said.seek(0)
            said = session.said.read().rstrip().split("\n")
            last = [line for line in said if "trial " in line]
            number = int(last[-1].rpartition(" ")[2]) if last else 0
            report("the session broke off: " + said[-1], trials[number])
            return tried, bad + 1
        for number, what in wrong:
            report(what, trials[number])
        tried += len(trials)
        bad += len(wrong)
        batches += 1
        if batches % 20 == 0:
            session.close()
            session = Session()
    session.close()
    return tried, bad


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.setrecursionlimit(100000)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 9))
    cases = read_cases(sys.argv[2:])
    # Often enough among some hundred.
    cases += OWN_CASES * (1 + len(cases) // 20)
    if len(cases) == len(OWN_CASES):
        sys.exit("There is no case in %s." % ", ".join(sys.argv[2:]))
    print("SEED=%d" % seed, flush=True)
    subprocess.run(["psql", "-X", "-q"], input=SETUP.read_text(encoding="utf-8"), text=True, check=True)
    tried, bad = fuzz(float(sys.argv[1]), cases, seed)
    print("%d trials, %d went wrong" % (tried, bad))
    sys.exit(1 if bad or not tried else 0)


if __name__ == "__main__":
    main()
