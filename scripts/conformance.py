#!/usr/bin/env python3
"""Runs folders of conformance cases against a server and compares results.

usage: conformance.py FOLDER...

Cases are the *.json files in the folders and below.  What has "expect" is an
execution: its definition is published as it is, with each resource bound to a
stand-in that gives the recorded outcomes, and run by the background workers;
status, output, error, cause, path and the inputs of tasks are compared.  What
has "valid" is a validation: the definition is judged as pure Amazon States
Language.  Definitions that need JSONata have to be refused by that name; they
count as skipped.

Every failure is printed with the difference.  The last line is "N passed, N
failed, N skipped"; the exit code is 1 if a case failed.  The server is found by
PGHOST and the like; the role has to be a superuser, and the server has to be on
this machine.  The extension has to be there.
"""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TIME_LIMIT = 1200
PLACEHOLDER = re.compile(r"<\w+_\d+idx>")
SETUP = pathlib.Path(__file__).with_suffix(".sql")


def psql(script, wanted=True):
    done = subprocess.run(["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"],
                          input=script, text=True, stdout=subprocess.PIPE, check=True)
    return [line for line in done.stdout.split("\n") if line] if wanted else None


def copy_rows(table, columns, rows):
    """A COPY command with its data."""
    def field(value):
        for char, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            value = value.replace(char, escape)
        return value
    lines = ["\t".join(field(str(value)) for value in row) for row in rows]
    return "COPY %s (%s) FROM STDIN;\n%s\\.\n" % (
        table, columns, "".join(line + "\n" for line in lines))


# ---------- cases ----------

def walk(value):
    """All objects in a JSON value."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from walk(member)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def needs_jsonata(definition):
    return any(thing.get("QueryLanguage") == "JSONata" for thing in walk(definition))


def task_states(definition):
    """(name, state object) of every Task, in any depth."""
    for thing in walk(definition):
        if isinstance(thing.get("States"), dict) and "StartAt" in thing:
            for name, state in thing["States"].items():
                if isinstance(state, dict) and state.get("Type") == "Task":
                    yield name, state


def read_cases(folders):
    """Execution cases, validation cases, and what is neither."""
    executions, validations, others = [], [], []
    for folder in folders:
        for file in sorted(pathlib.Path(folder).rglob("*.json")):
            try:
                case = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                others.append("%s: no JSON: %s" % (file, error))
                continue
            if not isinstance(case, dict) or "definition" not in case:
                others.append("%s: no case" % file)
                continue
            case.setdefault("name", file.stem)
            if "expect" in case:
                executions.append(case)
            elif "valid" in case:
                validations.append(case)
            else:
                others.append("%s: neither \"expect\" nor \"valid\"" % file)
    return executions, validations, others


def unique_resources(case):
    """Tasks with the same resource get one each: outcomes go by state."""
    seen = set()
    tasks = []
    for name, state in task_states(case["definition"]):
        uri = state.get("Resource")
        if not isinstance(uri, str):
            continue
        if uri in seen:
            head, dot, pattern = uri.partition(".waitForTaskToken")
            head, sync, rest = head.partition(".sync")
            uri = "%s-%d%s%s%s%s" % (head, len(seen), sync, rest, dot, pattern)
            state["Resource"] = uri
        seen.add(uri)
        tasks.append((name, uri))
    return tasks


# ---------- comparing ----------

def same(a, b):
    """Equal as JSON: 1 is 1.0, but neither is true."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def differences(expected, got, pointer=""):
    """What differs, one text for each place."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in {**expected, **got}:
            at = "%s/%s" % (pointer, key.replace("~", "~0").replace("/", "~1"))
            if key not in got:
                yield "%s is missing, expected %s" % (at, show(expected[key]))
            elif key not in expected:
                yield "%s is not expected: %s" % (at, show(got[key]))
            else:
                yield from differences(expected[key], got[key], at)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, (one, other) in enumerate(zip(expected, got)):
            yield from differences(one, other, "%s/%d" % (pointer, number))
    elif not same(expected, got):
        yield "%s: expected %s, got %s" % (pointer or "/", show(expected), show(got))


def show(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 600 else text[:600] + "..."


def forget(value, pointer):
    """Puts null in the place of an ignored member; false: it is not there."""
    *steps, last = [step.replace("~1", "/").replace("~0", "~")
                    for step in pointer.split("/")[1:]]
    try:
        for step in steps:
            value = value[int(step)] if isinstance(value, list) else value[step]
        if isinstance(value, list):
            last = int(last)
        value[last]
        value[last] = None
    except (KeyError, IndexError, ValueError, TypeError):
        return False
    return True


def compare_output(case, run):
    expected, got = {"output": case["expect"]["output"]}, {"output": run["output"]}
    for pointer in case.get("ignore", []):
        forget(expected, "/output" + pointer)
        if not forget(got, "/output" + pointer):
            yield "output%s is missing; its value is free" % pointer
    yield from differences(expected, got)


def free_placeholders(expected, got):
    """The recorded input with what the recorder has replaced as it really was.

    It wrote "<ArnPart_0idx>" for names that it made up, and for some members
    their own name, "state-machine-arn" for StateMachineArn.
    """
    if isinstance(expected, dict) and isinstance(got, dict):
        return {key: got[key] if key in got and value == kebab(key)
                else free_placeholders(value, got.get(key)) for key, value in expected.items()}
    if isinstance(expected, list) and isinstance(got, list):
        return [free_placeholders(value, other)
                for value, other in itertools.zip_longest(expected, got[:len(expected)])]
    if isinstance(expected, str) and isinstance(got, str) and PLACEHOLDER.search(expected):
        return got
    return expected


def kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def take(values, wanted):
    """Removes a value from the list; false: it is not there."""
    for number, value in enumerate(values):
        if same(value, free_placeholders(wanted, value)):
            del values[number]
            return True
    return False


def compare_inputs(case, inputs):
    for state, expected in case["expect"].get("task_inputs", {}).items():
        # Attempts within a Map may come in any order.
        got = list(inputs.get(state, []))
        missing = [one for one in expected if not take(got, one)]
        # An attempt that fails stops its siblings, which may not have begun.
        outcomes = case["tasks"].get(state, [])
        if state not in case["definition"]["States"] and any(
                "return" not in outcome for outcome in outcomes):
            missing = []
        if missing or got:
            yield from differences({"task_inputs": {state: expected}},
                                   {"task_inputs": {state: inputs.get(state, [])}})


def compare(case, run, inputs):
    expect = case["expect"]
    if run["refusal"]:
        yield "not started: " + run["refusal"]
        return
    if run["status"] != expect["status"]:
        yield "status: expected %s, got %s (error %s, cause %s)" % (
            expect["status"], run["status"], show(run["error"]), show(run["cause"]))
        return
    if "output" in expect:
        yield from compare_output(case, run)
    for member in ("error", "cause"):
        if member in expect and run[member] != expect[member]:
            yield "%s: expected %s, got %s" % (member, show(expect[member]), show(run[member]))
    if "path" in expect and run["path"] != expect["path"]:
        yield "path: expected %s, got %s" % (show(expect["path"]), show(run["path"]))
    yield from compare_inputs(case, inputs)


# ---------- running ----------

def load(executions, validations, jsonata, folder):
    """The script that hands all cases to the server."""
    tasks, runs, judged = [], [], []
    for number, case in enumerate(executions):
        for state, uri in unique_resources(case):
            outcomes = case.get("tasks", {}).get(state, [])
            tasks.append((len(tasks), number, state, uri, json.dumps(outcomes)))
        runs.append((number, json.dumps(case["definition"]), json.dumps(case["input"])))
    for number, case in enumerate(validations):
        definition = case["definition"]
        if not case.get("definition_is_text"):
            definition = json.dumps(definition)
        judged.append((number, "t", case.get("machine_type", "STANDARD"), definition))
    for number, case in enumerate(jsonata, len(judged)):
        judged.append((number, "f", "STANDARD", json.dumps(case["definition"])))
    return "".join((
        copy_rows("conformance.setting", "folder", [(folder,)]),
        copy_rows("conformance.task", "id, case_id, state, uri, outcomes", tasks),
        copy_rows("conformance.execution_case", "id, definition, input", runs),
        copy_rows("conformance.validation_case", "id, pure, machine_type, definition", judged),
    )), {task[0]: (task[1], task[2]) for task in tasks}


def wait_for_runs():
    """Until all runs have ended or the time is over."""
    until = time.monotonic() + TIME_LIMIT
    while time.monotonic() < until:
        left = psql("SELECT count(*) FROM conformance.execution_case c JOIN dealix.run_details r"
                    " USING (run_id) WHERE r.finished_at IS NULL;")
        if left == ["0"]:
            return
        time.sleep(0.3)


def read_runs():
    rows = psql("SELECT jsonb_build_object('refusal', c.refusal, 'status', r.status,"
                " 'output', r.output, 'error', r.error, 'cause', r.cause,"
                " 'path', conformance.path(c.run_id))"
                " FROM conformance.execution_case c LEFT JOIN dealix.run_details r USING (run_id)"
                " ORDER BY c.id;")
    return [json.loads(row) for row in rows]


def read_inputs(folder, tasks):
    """Effective inputs of all attempts, by case and state."""
    inputs = {}
    files = [tuple(map(int, file.name.split("."))) + (file,) for file in folder.iterdir()]
    for task, _, file in sorted(files):
        case, state = tasks[task]
        text = file.read_text(encoding="utf-8").rstrip("\n")
        if text.startswith('"'):
            text = text[1:-1].replace('""', '"')
        inputs.setdefault(case, {}).setdefault(state, []).append(json.loads(text))
    return inputs


def describe_verdict(case, problems):
    yield "expected %s, got %s" % ("valid" if case["valid"] else "invalid",
                                   "invalid" if problems else "valid")
    for problem in problems:
        yield "%(pointer)s %(code)s: %(message)s" % problem
    if isinstance(case.get("problems"), list):
        for problem in case["problems"]:
            yield "the corpus says: %s" % problem


def judge_all(validations, jsonata):
    """(case, lines) of all validations, then of what needs JSONata."""
    verdicts = [json.loads(row) for row in psql(
        "CALL conformance.validate_all();"
        "SELECT problems FROM conformance.validation_case ORDER BY id;")]
    for case, problems in zip(validations, verdicts):
        wrong = bool(problems) == case["valid"]
        yield case, list(describe_verdict(case, problems)) if wrong else []
    for case, problems in zip(jsonata, verdicts[len(validations):]):
        refused = any("JSONata" in problem["message"] for problem in problems)
        yield case, [] if refused else ["JSONata is not refused by name"]


def run(folders, folder):
    executions, validations, failures = read_cases(folders)
    jsonata = [case for case in executions + validations if needs_jsonata(case["definition"])]
    executions = [case for case in executions if not needs_jsonata(case["definition"])]
    validations = [case for case in validations if not needs_jsonata(case["definition"])]
    if not executions and not validations and not jsonata:
        sys.exit("There is no case in %s." % ", ".join(folders))

    passed = skipped = 0
    script, tasks = load(executions, validations, jsonata, str(folder))
    psql(SETUP.read_text(encoding="utf-8") + script + "CALL conformance.start_all();\n", False)
    judged = list(judge_all(validations, jsonata))
    wait_for_runs()
    runs = read_runs()
    inputs = read_inputs(folder, tasks)
    for number, case in enumerate(executions):
        judged.append((case, list(compare(case, runs[number], inputs.get(number, {})))))
    for case, lines in judged:
        if lines:
            failures.append("\n    ".join([case["name"], *lines]))
        elif needs_jsonata(case["definition"]):
            skipped += 1
        else:
            passed += 1
    for failure in failures:
        print("not ok: " + failure)
    if skipped:
        print("Skipped: %d definitions that need JSONata, which is refused by name." % skipped)
    print("%d passed, %d failed, %d skipped" % (passed, len(failures), skipped))
    return 1 if failures else 0


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    # The server writes into it, as another user perhaps.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dealix-inputs-"))
    folder.chmod(0o777)
    try:
        status = run(sys.argv[1:], folder)
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(folder)
    sys.exit(status)


if __name__ == "__main__":
    main()
