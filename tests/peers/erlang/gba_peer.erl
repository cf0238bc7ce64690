%% SPDX-License-Identifier: Apache-2.0
%% A peer on Erlang/OTP's diameter: HSS, BSF, or client of either. One JSON object per line on standard output.
%%   gba-peer hss --table FILE | bsf --table FILE           serve until standard input ends
%%   gba-peer mar --impi X ... | bir --btid X --naf-id HEX ...   ask once, or for --seconds N with --window W
-module(gba_peer).
-export([main/0]).
-include_lib("diameter/include/diameter.hrl").

-define(SVC, gba_peer).
-define(ALIAS, gba).
-define(VENDOR, 10415).

main() ->
	log_to_standard_error(),
	try
		[Mode | Args] = init:get_plain_arguments(),
		run(list_to_atom(Mode), options(Args, #{}))
	of
		Status -> halt(Status)
	catch
		Class:Reason:Stack ->
			io:format(standard_error, "gba-peer: ~p ~p~n~p~n", [Class, Reason, Stack]),
			halt(2)
	end.

%% Standard output has our lines only.
log_to_standard_error() ->
	ok = logger:remove_handler(default),
	ok = logger:add_handler(default, logger_std_h, #{config => #{type => standard_error}}).

%% --name value; a name that comes twice has a list of values, last first.
options(["--" ++ Name, Value | Rest], Map) ->
	options(Rest, maps:update_with(list_to_atom(Name), fun(Old) -> [Value | Old] end, [Value], Map));
options([], Map) ->
	Map.

opt(Name, Options) -> hd(maps:get(Name, Options)).
opt(Name, Options, Default) -> hd(maps:get(Name, Options, [Default])).

run(hss, Options) -> serve(gba_zh, Options, fun hss_row/1);
run(bsf, Options) -> serve(gba_zn, Options, fun bsf_row/1);
run(mar, Options) -> ask(gba_zh, Options, fun mar/1);
run(bir, Options) -> ask(gba_zn, Options, fun bir/1).

%% Service and transport

start(Dictionary, Options) ->
	{ok, _} = application:ensure_all_started(ssl),
	ok = diameter:start(),
	ok = diameter:start_service(?SVC, [
		{'Origin-Host', opt(host, Options)},
		{'Origin-Realm', opt(realm, Options)},
		{'Vendor-Id', ?VENDOR},
		{'Product-Name', "gba-peer"},
		{'Host-IP-Address', [address(opt(ip, Options, "127.0.0.1"))]},
		{'Supported-Vendor-Id', [?VENDOR]},
		{'Vendor-Specific-Application-Id',
		 [[{'Vendor-Id', ?VENDOR}, {'Auth-Application-Id', [Dictionary:id()]}]]},
		{string_decode, false},
		{decode_format, map},
		{application, [{alias, ?ALIAS}, {dictionary, Dictionary}, {module, gba_peer_app}, {answer_errors, callback},
			       {request_errors, answer_3xxx}]}]).

address(Text) ->
	{ok, Address} = inet:parse_address(Text),
	Address.

%% TLS from the first octet (RFC 6733 13): "true". A list would mean TLS after CER and CEA, as RFC 3588 had it.
tls(#{cert := [Cert], key := [Key], ca := [Ca]}, Role) ->
	Check = case Role of
		listen -> [{fail_if_no_peer_cert, true}];
		connect -> [{server_name_indication, disable}]
	end,
	[{ssl_options, true}, {certfile, Cert}, {keyfile, Key}, {cacertfile, Ca}, {verify, verify_peer} | Check];
tls(_, _) ->
	[].

serve(Dictionary, #{table := [Table]} = Options, Row) ->
	ets:new(?SVC, [named_table, public, {read_concurrency, true}]),
	{ok, Text} = file:read_file(Table),
	[ets:insert(?SVC, Row(binary:split(Line, <<"\t">>, [global])))
	 || Line <- binary:split(Text, <<"\n">>, [global]), Line =/= <<>>],
	start(Dictionary, Options),
	Config = [{reuseaddr, true}, {ip, address(opt(ip, Options, "127.0.0.1"))},
		  {port, list_to_integer(opt(port, Options, "0"))}] ++ tls(Options, listen),
	{ok, Ref} = diameter:add_transport(?SVC, {listen, [{transport_module, diameter_tcp}, {transport_config, Config}]}),
	gba_peer_json:line(#{event => {text, "listening"}, port => port(Ref, 100)}),
	wait_for_end(),
	stop().

port(Ref, Tries) when Tries > 0 ->
	case [P || {listen, P, _} <- diameter_tcp:ports(Ref)] of
		[Port | _] -> Port;
		[] -> timer:sleep(20), port(Ref, Tries - 1)
	end.

wait_for_end() ->
	case io:get_line("") of
		eof -> ok;
		_ -> wait_for_end()
	end.

stop() ->
	diameter:stop_service(?SVC),
	diameter:stop(),
	0.

%% Tables: tab-separated, octets in hex

unhex(Hex) -> << <<(binary_to_integer(<<A, B>>, 16))>> || <<A, B>> <= Hex >>.

%% impi rand autn xres ck ik [guss as text, or empty] [RAND||AUTS that is accepted]
hss_row([Impi, Rand, Autn, Xres, Ck, Ik | Rest]) ->
	[Guss, Auts | _] = Rest ++ [<<>>, <<>>],
	{Impi, unhex(Rand), unhex(Autn), unhex(Xres), unhex(Ck), unhex(Ik), Guss, unhex(Auts)}.

%% btid impi key created expires (the last two in seconds since 1970)
bsf_row([Btid, Impi, Key, Created, Expires]) ->
	{Btid, Impi, unhex(Key), utc(Created), utc(Expires)}.

utc(Seconds) -> calendar:system_time_to_universal_time(binary_to_integer(Seconds), second).

%% Requests

common(Dictionary, Options) ->
	Map = #{'Session-Id' => diameter:session_id(opt(host, Options)),
		'Vendor-Specific-Application-Id' => #{'Vendor-Id' => ?VENDOR, 'Auth-Application-Id' => [Dictionary:id()]},
		'Destination-Realm' => opt('dest-realm', Options)},
	add('Destination-Host', opt('dest-host', Options, none), Map).

%% An AVP that may be absent is a list.
add(_, none, Map) -> Map;
add(Name, Value, Map) -> Map#{Name => [Value]}.

mar(Options) ->
	Item = case opt(auts, Options, none) of
		none -> none;
		Hex -> #{'SIP-Authentication-Scheme' => [opt(scheme, Options, "Digest-AKAv1-MD5")],
			 'SIP-Authorization' => [unhex(list_to_binary(Hex))]}
	end,
	Map = (common(gba_zh, Options))#{'Auth-Session-State' => 1},
	With = add('User-Name', opt(impi, Options, none), add('SIP-Auth-Data-Item', Item, Map)),
	['MAR' | add('GUSS-Timestamp', stamp(opt('guss-timestamp', Options, none)), With)].

stamp(none) -> none;
stamp(Seconds) -> utc(list_to_binary(Seconds)).

bir(Options) ->
	Map = (common(gba_zn, Options))#{
		'Transaction-Identifier' => opt(btid, Options),
		'NAF-Id' => unhex(list_to_binary(opt('naf-id', Options))),
		'GAA-Service-Identifier' => lists:reverse(maps:get(gsid, Options, []))},
	['BIR' | add('GBA_U-Awareness-Indicator', aware(opt('gba-u', Options, none)), Map)].

aware(none) -> none;
aware(Text) -> list_to_integer(Text).

%% Asking

ask(Dictionary, Options, Make) ->
	start(Dictionary, Options),
	true = diameter:subscribe(?SVC),
	[Host, Port] = string:split(opt(connect, Options), ":", trailing),
	Config = [{raddr, address(Host)}, {rport, list_to_integer(Port)}, {ip, address(opt(ip, Options, "127.0.0.1"))}] ++
		 tls(Options, connect),
	{ok, _} = diameter:add_transport(?SVC, {connect, [{transport_module, diameter_tcp}, {transport_config, Config},
							  {connect_timer, 500}]}),
	wait_up(list_to_integer(opt('connect-timeout', Options, "10000"))),
	%% A peer that has just answered our CER may not be ready for a request yet.
	timer:sleep(300),
	Status = work(opt(seconds, Options, none), Options, Make),
	stop(),
	Status.

wait_up(Timeout) ->
	wait_up_until(erlang:monotonic_time(millisecond) + Timeout, nothing).

%% What the stack said last tells why there is no connection.
wait_up_until(Deadline, Last) ->
	receive
		#diameter_event{info = Info} when element(1, Info) =:= up -> ok;
		#diameter_event{info = Info} -> wait_up_until(Deadline, Info)
	after max(0, Deadline - erlang:monotonic_time(millisecond)) ->
		exit({no_connection, Last})
	end.

work(none, Options, Make) ->
	report(call(Make(Options)));
work(Seconds, Options, Make) ->
	gba_peer_load:run(list_to_integer(opt(window, Options, "64")), list_to_integer(Seconds),
			  fun() -> call(Make(Options)) end).

call(Message) ->
	diameter:call(?SVC, ?ALIAS, Message, [{timeout, 10000}]).

report({answer, [_ | _] = Message, Errors}) ->
	Map = gba_peer_json:message(Message),
	gba_peer_json:line(Map#{errors => [{text, lists:flatten(io_lib:format("~p", [E]))} || E <- Errors]}),
	0;
report(Other) ->
	gba_peer_json:line(#{error => {text, lists:flatten(io_lib:format("~p", [Other]))}}),
	1.
