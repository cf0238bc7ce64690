%% SPDX-License-Identifier: Apache-2.0
%% Decoded messages as one line of JSON: names as in the dictionary, octets as hex, text as text, times as in XML.
-module(gba_peer_json).
-export([line/1, message/1]).

-define(TEXT, ['Session-Id', 'Origin-Host', 'Origin-Realm', 'User-Name', 'Public-Identity', 'Error-Message',
	       'Destination-Host', 'Destination-Realm', 'SIP-Authentication-Scheme', 'Route-Record', 'Product-Name',
	       'Error-Reporting-Host']).
%% May come several times: a list. Other AVPs that may be absent are decoded as lists of one, and shown without it.
-define(REPEATED, ['GAA-Service-Identifier', 'Route-Record', 'Proxy-Info', 'Failed-AVP', 'Auth-Application-Id']).

line(Map) ->
	io:put_chars([object(Map), $\n]).

%% A message as diameter decodes it with {decode_format, map}.
message([Name | Avps]) when is_map(Avps) ->
	#{message => {text, atom_to_list(Name)}, avps => {raw, avps(Avps)}}.

avps(Avps) ->
	object(maps:map(fun(Name, Value) -> {raw, avp(Name, Value)} end, maps:remove('AVP', Avps))).

avp(_, Group) when is_map(Group) ->
	avps(Group);
avp(_, Value) when is_integer(Value) ->
	integer_to_list(Value);
avp(_, {{_, _, _}, {_, _, _}} = Time) ->
	string(time_text(Time));
avp(Name, Value) when is_binary(Value) ->
	case lists:member(Name, ?TEXT) of
		true -> string(binary_to_list(Value));
		false -> string(hex(Value))
	end;
avp(Name, Values) when is_list(Values) ->
	case {Values, lists:member(Name, ?REPEATED)} of
		{[Value], false} -> avp(Name, Value);
		_ -> [$[, lists:join($,, [avp(Name, V) || V <- Values]), $]]
	end;
avp(_, Other) ->
	string(lists:flatten(io_lib:format("~p", [Other]))).

time_text({{Y, Mo, D}, {H, Mi, S}}) ->
	lists:flatten(io_lib:format("~4..0b-~2..0b-~2..0bT~2..0b:~2..0b:~2..0bZ", [Y, Mo, D, H, Mi, S])).

hex(Octets) ->
	lists:flatten([io_lib:format("~2.16.0b", [O]) || <<O>> <= Octets]).

object(Map) ->
	[${, lists:join($,, [[string(name(K)), $:, value(V)] || {K, V} <- maps:to_list(Map)]), $}].

name(K) when is_atom(K) -> atom_to_list(K);
name(K) -> K.

value({raw, Text}) -> Text;
value({text, Text}) -> string(Text);
value(N) when is_integer(N) -> integer_to_list(N);
value(F) when is_float(F) -> float_to_list(F, [{decimals, 3}]);
value(true) -> "true";
value(false) -> "false";
value(List) when is_list(List) -> [$[, lists:join($,, [value(V) || V <- List]), $]].

string(Text) ->
	[$", [escape(C) || C <- Text], $"].

escape($") -> "\\\"";
escape($\\) -> "\\\\";
escape(C) when C < 32; C > 126 -> io_lib:format("\\u~4.16.0b", [C]);
escape(C) -> C.
