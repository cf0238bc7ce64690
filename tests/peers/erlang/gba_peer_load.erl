%% SPDX-License-Identifier: Apache-2.0
%% Closed-loop load: so many requests in flight for so long, then the rate of good answers and their delays.
-module(gba_peer_load).
-export([run/3]).

-define(KEEP, 2000000). %% delays kept, [us] each

run(Window, Seconds, Call) ->
	Me = self(),
	Warm = deadline(1),
	wait(spawn_workers(Me, Window, Warm, Call)),
	Start = erlang:monotonic_time(microsecond),
	Results = wait(spawn_workers(Me, Window, deadline(Seconds), Call)),
	Took = (erlang:monotonic_time(microsecond) - Start) / 1.0e6,
	Delays = lists:sort(lists:sublist(lists:append([D || {D, _} <- Results]), ?KEEP)),
	Bad = lists:sum([B || {_, B} <- Results]),
	N = length(Delays),
	gba_peer_json:line(#{rate => N / Took, good => N, bad => Bad, seconds => Took,
			     p50_ms => percentile(Delays, N, 0.50), p99_ms => percentile(Delays, N, 0.99)}),
	case N of
		0 -> 1;
		_ -> 0
	end.

deadline(Seconds) -> erlang:monotonic_time(microsecond) + Seconds * 1000000.

percentile(_, 0, _) -> 0.0;
percentile(Delays, N, P) -> lists:nth(max(1, ceil(P * N)), Delays) / 1000.

spawn_workers(To, Window, Deadline, Call) ->
	[spawn_link(fun() -> To ! {self(), worker(Deadline, Call, [], 0)} end) || _ <- lists:seq(1, Window)].

wait(Workers) ->
	[receive {Worker, Result} -> Result end || Worker <- Workers].

worker(Deadline, Call, Delays, Bad) ->
	Before = erlang:monotonic_time(microsecond),
	case Before < Deadline of
		true -> count(Deadline, Call, Delays, Bad, Before, Call());
		false -> {Delays, Bad}
	end.

count(Deadline, Call, Delays, Bad, Before, {answer, [_ | #{'Result-Code' := [2001]}], []}) ->
	worker(Deadline, Call, [erlang:monotonic_time(microsecond) - Before | Delays], Bad);
count(Deadline, Call, Delays, Bad, _, _) ->
	worker(Deadline, Call, Delays, Bad + 1).
