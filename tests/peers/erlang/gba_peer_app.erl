%% SPDX-License-Identifier: Apache-2.0
%% diameter's callbacks (AVPs that may be absent are lists in its maps): which peer to ask, and what an HSS (Zh) or a BSF (Zn) with a small table answers.
-module(gba_peer_app).
-include_lib("diameter/include/diameter.hrl").
-export([peer_up/3, peer_down/3, pick_peer/4, prepare_request/3, prepare_retransmit/3, handle_answer/4, handle_error/4,
	 handle_request/3]).

-define(VENDOR, 10415).
-define(IMPI_UNKNOWN, 5401).
-define(BTID_INVALID, 5403).
-define(UNABLE_TO_COMPLY, 5012).

peer_up(_Svc, _Peer, State) -> State.
peer_down(_Svc, _Peer, State) -> State.

pick_peer([Peer | _], _, _Svc, _State) -> {ok, Peer};
pick_peer([], _, _Svc, _State) -> false.

prepare_request(#diameter_packet{msg = [Name | Avps]}, _Svc, {_Ref, Caps}) ->
	#diameter_caps{origin_host = {Host, _}, origin_realm = {Realm, _}} = Caps,
	{send, [Name | Avps#{'Origin-Host' => Host, 'Origin-Realm' => Realm}]}.

prepare_retransmit(Packet, _Svc, _Peer) -> {send, Packet}.

%% What the stack could not decode, or decoded only with complaints, is the caller's to judge.
handle_answer(#diameter_packet{msg = Msg, errors = Errors}, _Request, _Svc, _Peer) -> {answer, Msg, Errors}.
handle_error(Reason, _Request, _Svc, _Peer) -> {error, Reason}.

handle_request(#diameter_packet{msg = ['MAR' | Avps], errors = []}, Svc, {_Ref, Caps}) ->
	{reply, ['MAA' | head(gba_zh, Avps, Caps, zh_answer(Svc, Avps))]};
handle_request(#diameter_packet{msg = ['BIR' | Avps], errors = []}, Svc, {_Ref, Caps}) ->
	{reply, ['BIA' | maps:remove('Auth-Session-State', head(gba_zn, Avps, Caps, zn_answer(Svc, Avps)))]};
handle_request(#diameter_packet{errors = [_ | _]}, _Svc, _Peer) ->
	{answer_message, 5012}.

head(Dictionary, Request, #diameter_caps{origin_host = {Host, _}, origin_realm = {Realm, _}}, Rest) ->
	maps:merge(#{'Session-Id' => maps:get('Session-Id', Request), 'Auth-Session-State' => 1,
		     'Vendor-Specific-Application-Id' => #{'Vendor-Id' => ?VENDOR, 'Auth-Application-Id' => [Dictionary:id()]},
		     'Origin-Host' => Host, 'Origin-Realm' => Realm},
		   Rest).

zh_answer(Svc, Avps) ->
	Impi = iolist_to_binary(maps:get('User-Name', Avps, <<>>)),
	case ets:lookup(Svc, Impi) of
		[{Impi, _, _, _, _, _, _, _}] when is_map_key('SIP-Auth-Data-Item', Avps) -> resync(Svc, Impi, Avps);
		[Row] -> vector(Row);
		[] -> experimental(?IMPI_UNKNOWN)
	end.

%% A row may carry the RAND||AUTS that it accepts; anything else is a forgery.
resync(Svc, Impi, #{'SIP-Auth-Data-Item' := [Item]}) ->
	[Row] = ets:lookup(Svc, Impi),
	Accepts = [element(8, Row)],
	case maps:get('SIP-Authorization', Item, none) of
		none -> vector(Row);
		Accepts -> vector(Row);
		_ -> #{'Result-Code' => [?UNABLE_TO_COMPLY]}
	end.

vector({Impi, Rand, Autn, Xres, Ck, Ik, Guss, _}) ->
	Item = #{'SIP-Authentication-Scheme' => [<<"Digest-AKAv1-MD5">>],
		 'SIP-Authenticate' => [<<Rand/binary, Autn/binary>>], 'SIP-Authorization' => [Xres],
		 'Confidentiality-Key' => [Ck], 'Integrity-Key' => [Ik]},
	Answer = #{'Result-Code' => [2001], 'User-Name' => [Impi], 'SIP-Auth-Data-Item' => [Item]},
	case Guss of
		<<>> -> Answer;
		_ -> Answer#{'GBA-UserSecSettings' => [Guss]}
	end.

zn_answer(Svc, #{'Transaction-Identifier' := Btid}) ->
	case ets:lookup(Svc, Btid) of
		[{Btid, Impi, Key, Created, Expires}] ->
			#{'Result-Code' => [2001], 'User-Name' => [Impi], 'ME-Key-Material' => [Key], 'GBA-Type' => [0],
			  'Key-ExpiryTime' => [Expires], 'BootstrapInfoCreationTime' => [Created]};
		[] ->
			experimental(?BTID_INVALID)
	end.

experimental(Code) ->
	#{'Experimental-Result' => [#{'Vendor-Id' => ?VENDOR, 'Experimental-Result-Code' => Code}]}.
