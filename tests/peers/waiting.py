# SPDX-License-Identifier: Apache-2.0
"""Waiting for what comes by itself: a counter, a log line, a listener, an end. Conditions are polled until they hold; how long that
may take is one number for all tests, generous because the machine may be busy: a test that passes never waits for it."""
import time
import urllib.error
import urllib.request

PATIENCE = 30  # [s]


def until(condition, seconds=PATIENCE, step=0.02):
    """The first true value of condition(), or its last false one when the time has passed."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def undisturbed(act, seconds):
    """act()'s value, from a time in which the machine did not stand still: for what has to be done before something short is over, as
    the life of a token. What took longer than `seconds` shows nothing, whatever it came to, and is begun anew: each act() begins with
    a token, a session or a program of its own."""
    end = time.monotonic() + 4 * PATIENCE
    while True:
        begun, value, fault = time.monotonic(), None, None
        try:
            value = act()
        except Exception as error:  # pylint: disable=broad-except
            fault = error
        if time.monotonic() - begun <= seconds:
            if fault is not None:
                raise fault
            return value
        assert time.monotonic() < end, "never done within %g s; the last time: %r" % (seconds, fault)


def page(url):
    """(status, text) of a GET; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def metrics_have(url, *lines):
    """Wait until each of these is a line of the metrics page: a counter is written after the answer it counts has left. A counter
    that has run past its number never matches. Returns the page; fails with it."""
    text = ""

    def there():
        nonlocal text
        text = page(url)[1]
        return set(lines) <= set(text.splitlines())

    assert until(there), "missing: %s\nin:\n%s" % (sorted(set(lines) - set(text.splitlines())), text)
    return text
