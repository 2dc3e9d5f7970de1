#!/usr/bin/env python3
"""Runs a folder of validation cases against a server and compares verdicts.

usage: conformance_validation.py FOLDER [psql options]

A case is a JSON file with "name", "definition" and "valid".  A case of the
execution format has no "valid": AWS accepted its definition, so it is valid.
Definitions are judged as pure Amazon States Language.  Those that need JSONata
are skipped, because they are refused by name.

Every disagreement is printed with the problems that were reported.  The last
line is "N passed, N failed, N skipped"; the exit code is 1 if any case failed.
The options are psql's, to say which server and database; PGHOST and the like
work too.  The extension has to be there.
"""

import json
import pathlib
import subprocess
import sys

JUDGE = r"""
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET check_function_bodies = off;
CREATE TEMP TABLE verdict_case (id int, machine_type text, definition text);
CREATE FUNCTION pg_temp.judge(definition text, machine_type text) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]')
			  FROM dealix.validate(definition::jsonb, true, machine_type) p);
EXCEPTION
	-- What is not JSON, or no JSON that jsonb can hold, is invalid as well.
	WHEN invalid_text_representation OR untranslatable_character
		 OR statement_too_complex OR program_limit_exceeded THEN
		RETURN jsonb_build_array(jsonb_build_object('pointer', '', 'code', SQLSTATE,
													'message', SQLERRM));
END $$;
COPY verdict_case FROM STDIN;
%s
\.
SELECT jsonb_build_object('id', id, 'problems', pg_temp.judge(definition, machine_type))
  FROM verdict_case ORDER BY id;
"""


def copy_text(text):
    for char, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(char, escape)
    return text


def uses_jsonata(value):
    if isinstance(value, dict):
        return (value.get("QueryLanguage") == "JSONata"
                or any(uses_jsonata(member) for member in value.values()))
    return isinstance(value, list) and any(uses_jsonata(item) for item in value)


def judge(cases, psql_options):
    rows = []
    for number, case in enumerate(cases):
        definition = case["definition"]
        if not case.get("definition_is_text"):
            definition = json.dumps(definition)
        rows.append("\t".join((str(number), case.get("machine_type", "STANDARD"),
                               copy_text(definition))))
    psql = subprocess.run(["psql", "-X", "-A", "-t", *psql_options],
                          input=JUDGE % "\n".join(rows), text=True,
                          stdout=subprocess.PIPE, check=True)
    return [json.loads(line)["problems"] for line in psql.stdout.split("\n") if line]


def describe(case, problems):
    expected = "valid" if case.get("valid", True) else "invalid"
    got = "invalid" if problems else "valid"
    lines = ["%s: expected %s, got %s" % (case["name"], expected, got)]
    lines += ["    %(pointer)s %(code)s: %(message)s" % p for p in problems]
    if isinstance(case.get("problems"), list):
        lines += ["    the corpus says: %s" % p for p in case["problems"]]
    return "\n".join(lines)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
    if not files:
        sys.exit("no cases in %s" % sys.argv[1])

    cases = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    judged = [case for case in cases if not uses_jsonata(case["definition"])]
    failed = 0
    for case, problems in zip(judged, judge(judged, sys.argv[2:]), strict=True):
        if bool(problems) == case.get("valid", True):
            print(describe(case, problems))
            failed += 1
    print("%d passed, %d failed, %d skipped"
          % (len(judged) - failed, failed, len(cases) - len(judged)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
