# SPDX-License-Identifier: Apache-2.0
"""Records over REST: conditions, keys, pages, forms, retries, imports."""
import csv
import io
import json
import threading

import apilab


def case(admin, name):
    return admin.post("/v1/verifications", {"reference": name, "name": "N", "verifier": "v"})


def test_etags_and_conditions(admin):
    made = case(admin, "etag-1")
    where, tag = made.headers["location"], made.headers["etag"]
    assert tag == '"1"'
    assert admin.call("GET", where, headers={"If-None-Match": tag}).status == 304
    assert admin.patch(where, {"name": "M"}, None, want=428).json()["code"] == "precondition-required"
    assert admin.patch(where, {"name": "M"}, '"7"', want=412).json()["code"] == "precondition-failed"
    assert admin.patch(where, {"name": "M"}, 'W/"1"', want=412)
    changed = admin.patch(where, {"name": "M"}, '"5", ' + tag)
    assert changed.headers["etag"] == '"2"' and changed.json()["name"] == "M"
    admin.patch(where, {"name": "L"}, tag, want=412)
    admin.delete(where, None, want=428)
    admin.delete(where, tag, want=412)
    admin.delete(where, changed.headers["etag"])
    admin.get(where, want=404)
    admin.delete(where, "*", want=404)


def test_one_of_many_writers_wins(api, admin):
    """Eight callers with the same ETag: one change, seven times 412."""
    made = case(admin, "etag-2")
    got = []

    def change(number):
        caller = apilab.Caller(api, admin.token)
        got.append(caller.call("PATCH", made.headers["location"], {"name": "W%d" % number}, {"If-Match": '"1"'}).status)

    threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [200] + [412] * 7
    assert admin.get(made.headers["location"]).json()["rev"] == 2


def test_put_by_key(admin):
    body = {"reference": "put-1", "name": "N", "verifier": "v", "level": 3}
    made = admin.call("PUT", "/v1/verifications/key:put-1", body, want=201)
    assert admin.call("PUT", "/v1/verifications/key:put-1", body, want=200).json() == made.json()  # a retry changes nothing
    admin.call("PUT", "/v1/verifications/key:put-1", dict(body, name="M"), want=428)
    admin.call("PUT", "/v1/verifications/key:put-1", body, {"If-None-Match": "*"}, want=412)
    admin.call("PUT", "/v1/verifications/key:put-1", dict(body, reference="put-2"), want=422)
    changed = admin.call("PUT", "/v1/verifications/key:put-1", {"name": "M", "verifier": "v"}, {"If-Match": "*"}, want=200).json()
    assert changed["name"] == "M" and changed["level"] == 1 and changed["id"] == made.json()["id"]  # not given: the default
    admin.call("PUT", "/v1/verifications/key:put-1", {"name": "M"}, {"If-Match": "*"}, want=422)  # required
    admin.call("PUT", "/v1/verifications/key:put-9", dict(body, reference="put-9"), {"If-Match": '"1"'}, want=412)
    admin.call("PUT", "/v1/verifications/999999", body, want=404)
    assert admin.get("/v1/verifications/key:put-1").json()["id"] == made.json()["id"]


def test_a_retry_with_a_key_is_done_once(admin):
    body, head = {"reference": "idem-1", "name": "N", "verifier": "v"}, {"Idempotency-Key": "k-1"}
    first = admin.call("POST", "/v1/verifications", body, head, want=201)
    second = admin.call("POST", "/v1/verifications", body, head, want=201)
    assert second.body == first.body and second.headers["etag"] == first.headers["etag"]
    assert second.headers["idempotent-replayed"] == "true"
    admin.call("POST", "/v1/verifications", dict(body, reference="idem-2"), head, want=409)
    admin.call("POST", "/v1/verifications", body, {"Idempotency-Key": "k-2"}, want=409)  # stands already
    admin.call("POST", "/v1/verifications", body, {"Idempotency-Key": "x" * 256}, want=400)


def test_a_retry_after_a_restart_is_done_once(tmp_path):
    one = apilab.Api(tmp_path, conf="api-import-rows = 1;\n", ca=False).start()
    caller = one.admin()
    rows, head = b'{"reference": "r-1", "name": "N", "verifier": "v"}\n', {"Idempotency-Key": "k", "Content-Type": "application/x-ndjson"}

    def ask():
        return caller.call("POST", "/v1/verifications/import", raw=rows, headers=head, want=200)

    first = ask()
    one.node.kill()
    one.start()
    caller = apilab.Caller(one, caller.token)
    assert ask().body == first.body and first.json()["added"] == 1
    assert ask().headers["idempotent-replayed"] == "true"
    caller.call("POST", "/v1/verifications/import", raw=rows * 2, headers=dict(head, **{"Idempotency-Key": "two"}), want=422)
    assert one.stop()


def test_pages_have_a_stable_order(admin):
    names = ["page-%02d" % n for n in range(25)]
    for name in names:
        case(admin, name)
    seen, cursor = [], ""
    while cursor is not None:
        page = admin.get("/v1/verifications?limit=7&fields=reference" + ("&cursor=" + cursor if cursor else "")).json()
        assert len(page["items"]) <= 7 and all(set(item) == {"reference"} for item in page["items"])
        seen += [item["reference"] for item in page["items"]]
        cursor = page["next"]
    assert [name for name in seen if name.startswith("page-")] == names and len(seen) == len(set(seen))
    assert [i["name"] for i in admin.get("/v1/verifications?reference=page-03").json()["items"]] == ["N"]
    assert admin.get("/v1/verifications?reference=page-99").json() == {"items": [], "next": None}


def test_lines_and_csv_say_the_same(admin):
    admin.post("/v1/verifications", {"reference": "csv-1", "name": 'O"Neil, Sons', "verifier": "v", "address": "Straße 1"})
    asked = "/v1/verifications?limit=1000&fields=id,reference,name,address"
    items = admin.get(asked).json()["items"]
    lines = admin.get(asked, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.body.decode().splitlines()] == items
    table = admin.get(asked, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.body.decode(), newline="")))
    assert [dict(row, id=int(row["id"])) for row in rows] == [{k: "" if v is None else v for k, v in item.items()} for item in items]
    first = admin.get("/v1/verifications?limit=1", headers={"Accept": "text/csv"})
    assert first.headers["link"].endswith('rel="next"') and "cursor=" in first.headers["link"]
    target = first.headers["link"].split(">")[0][1:]
    assert admin.get(target).json()["items"][0]["id"] > 1


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def load(admin, path, rows, want=200, **kw):
    return admin.call("POST", path, raw=rows if isinstance(rows, bytes) else lines(rows),
                      headers=dict({"Content-Type": "application/x-ndjson"}, **kw), want=want)


def test_import_all_or_nothing_and_row_by_row(admin):
    good = [{"reference": "imp-%d" % n, "name": "N", "verifier": "v"} for n in range(20)]
    bad = [dict(good[3], level=9), {"name": "N"}, dict(good[5])]
    mixed = good + bad + [b"x"] if False else good + bad
    report = load(admin, "/v1/verifications/import", lines(mixed) + b"nothing\n").json()
    assert report["applied"] is False and report["rows"] == 24 and report["added"] == 0 and report["rejected"] == 4
    assert [r["row"] for r in report["rejections"]] == [21, 22, 23, 24]
    assert [r["code"] for r in report["rejections"]] == ["fields", "fields", "conflict", "json"]
    assert report["rejections"][0]["errors"][0]["pointer"] == "/level"
    assert {e["pointer"] for e in report["rejections"][1]["errors"]} == {"/reference", "/verifier"}
    assert admin.get("/v1/verifications?reference=imp-0").json()["items"] == []  # nothing

    report = load(admin, "/v1/verifications/import?mode=rows", mixed).json()
    assert report["applied"] is True and report["added"] == 20 and [r["row"] for r in report["rejections"]] == [21, 22, 23]
    report = load(admin, "/v1/verifications/import?existing=keep", good).json()
    assert report["kept"] == 20 and report["added"] == 0 and report["rejected"] == 0
    report = load(admin, "/v1/verifications/import?existing=update", [dict(row, name="New") for row in good]).json()
    assert report["updated"] == 20 and admin.get("/v1/verifications/key:imp-7").json()["name"] == "New"
    assert load(admin, "/v1/verifications/import", b"").json()["rows"] == 0
    load(admin, "/v1/verifications/import?mode=some", b"", want=400)
    load(admin, "/v1/verifications/import?existing=some", b"", want=400)


def test_a_large_body_only_from_who_may_import(api, admin):
    rows = lines([{"reference": "big-%d" % n, "name": "N" * 150, "verifier": "v"} for n in range(1000)])
    assert len(rows) > 100000
    kind = {"Content-Type": "application/x-ndjson"}
    assert apilab.Caller(api, "gba_" + "x" * 43).announce("/v1/verifications/import", len(rows), kind).status == 413
    assert apilab.Caller(api).announce("/v1/verifications/import", len(rows), kind).status == 413
    assert admin.announce("/v1/verifications/import", 17 << 20, kind).status == 413
    assert load(admin, "/v1/verifications/import?mode=rows", rows).json()["added"] == 1000


def test_history_tells_who_changed_what(admin):
    made = case(admin, "history-1")
    admin.patch(made.headers["location"], {"name": "M"}, '"1"')
    admin.delete(made.headers["location"])
    rows = admin.get("/v1/history?kind=verification&record=%d" % made.json()["id"]).json()["items"]
    assert [row["act"] for row in rows] == ["add", "set", "remove"]
    assert all(row["who"] == "admin:root" for row in rows)
    assert rows[1]["change"]["name"] == ["N", "M"]
    assert admin.call("GET", "/v1/history?kind=nothing").status == 400
    assert admin.call("GET", "/v1/history?record=1").status == 400


def test_writers_that_come_together_are_done_each_alone(api, admin):
    """What follows from each (the GUSS) is there; what is refused leaves nothing."""
    impi = api.subscriber("together@lab.test")
    user, _ = apilab.user(admin, api, "together")
    apilab.device(admin, impi, user["id"], 640)
    owner, _ = apilab.asp(admin, api, "U72200KA2011PTC060640", "Together")
    apps = [admin.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "t%d.example" % n, "name": "T"}).json() for n in range(8)]
    bodies = [{"impi": impi, "application": app["id"]} for app in apps] + [{"impi": impi, "application": 10 ** 9}] * 3 + \
             [{"impi": "nobody%d@lab.test" % n, "application": apps[0]["id"]} for n in range(3)]
    gate, got = threading.Barrier(len(bodies)), [0] * len(bodies)

    def write(i, body):
        caller = apilab.Caller(api, admin.token)
        caller.get("/v1/self")
        gate.wait(60)
        while (status := caller.call("POST", "/v1/permissions", body).status) == 503:
            pass
        got[i] = status

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got[:8] == [201] * 8 and not {200, 201} & set(got[8:]), got
    record = json.dumps(api.record(impi))
    assert all(str(app["gsid"]) in record for app in apps)
    assert {item["application"] for item in admin.get("/v1/permissions?limit=1000").json()["items"] if item["impi"] == impi} == {app["id"] for app in apps}
