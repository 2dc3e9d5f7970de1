#!/usr/bin/python3
"""A stand-in for a provider of electronic signatures.

    provider.py PORT LOG DSN

Requests are deduplicated by their Idempotency-Key; every call is a line of
LOG.  POST /answer/REQUEST/signed|declined is the signer; the provider then
calls the webhook, which is nothing but SELECT dealix.signal(...), with the
request as the key: a webhook that is called twice signals once.
"""
import http.server
import json
import sys

import psycopg

port, log, dsn = int(sys.argv[1]), sys.argv[2], sys.argv[3]
requests = {}


def webhook(run, answer, request):
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("SELECT dealix.signal(%s, %s, %s, %s)", (run, answer, json.dumps({"request": request}), request))


class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers.get("Idempotency-Key", "-")
        parts = self.path.strip("/").split("/")
        with open(log, "a", encoding="utf-8") as out:
            out.write(f"{parts[0]} {key}\n")
        if parts[0] == "send_signature_request":
            requests.setdefault(key, {"run": json.loads(body)["run"], "state": "sent"})
            self.answer({"request": key})
        elif parts[0] == "void_signature_request":
            requests[json.loads(body)["request"]]["state"] = "void"
            self.answer({})
        else:
            for _ in range(2):
                webhook(requests[parts[1]]["run"], parts[2], parts[1])
            self.answer({})

    def do_GET(self):
        self.answer(requests)

    def answer(self, output):
        body = json.dumps(output).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Provider).serve_forever()
