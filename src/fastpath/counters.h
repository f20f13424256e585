/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every way a packet can end, and pf's own counters, from one list each: enum, key, help. Per worker, one writer,
 * relaxed load and store (fp_count()), summed by the reader.
 *
 * Outcomes: each packet that enters a worker ends in exactly one of FP_OUTCOMES: forwarded, delivered to the box,
 * handed to another worker (which counts it again as received by handover), kept (fragment queue, neighbour queue),
 * or dropped with a reason. pf's counters (FP_REASONS, `pfctl -si`) count beside that, sometimes without a drop.
 */
#ifndef FP_COUNTERS_H
#define FP_COUNTERS_H

/* pf's reasons, order and names of `pfctl -si`. */
#define FP_REASONS(X) \
	X(MATCH, "match", "packets that were matched by a rule") \
	X(BAD_OFFSET, "bad-offset", "currently unused in pf") \
	X(FRAGMENT, "fragment", "fragments that were refused") \
	X(SHORT, "short", "packets too short for their headers") \
	X(NORMALIZE, "normalize", "packets that normalisation refused") \
	X(MEMORY, "memory", "no memory or state limit reached") \
	X(BAD_TIMESTAMP, "bad-timestamp", "TCP timestamps out of order") \
	X(CONGESTION, "congestion", "rules not evaluated because of congestion") \
	X(IP_OPTION, "ip-option", "IP options not allowed") \
	X(PROTO_CKSUM, "proto-cksum", "wrong checksum in a packet to be answered") \
	X(STATE_MISMATCH, "state-mismatch", "packets that do not fit their state") \
	X(STATE_INSERT, "state-insert", "states that could not be inserted") \
	X(STATE_LIMIT, "state-limit", "limit of a rule reached") \
	X(SRC_LIMIT, "src-limit", "limit of a source reached") \
	X(SYNPROXY, "synproxy", "packets handled by the SYN proxy") \
	X(TRANSLATE, "translate", "translation failed") \
	X(NO_ROUTE, "no-route", "no route for route-to")

/* `Limit Counters` of pfctl -si. */
#define FP_LCOUNTERS(X) \
	X(STATES, "max states per rule") \
	X(SRC_STATES, "max-src-states") \
	X(SRC_NODES, "max-src-nodes") \
	X(SRC_CONN, "max-src-conn") \
	X(SRC_CONN_RATE, "max-src-conn-rate") \
	X(OVERLOAD_TABLE, "overload table insertion") \
	X(OVERLOAD_FLUSH, "overload flush states") \
	X(SYNFLOODS, "synfloods detected") \
	X(SYNCOOKIES_SENT, "syncookies sent") \
	X(SYNCOOKIES_VALID, "syncookies validated")

/* Drops: key (stable, `show drops json`), help. */
#define FP_DROPS(X) \
	X(L2_SHORT, "l2_short", "frame shorter than its Ethernet and VLAN headers") \
	X(L2_NOT_US, "l2_not_us", "unicast frame for another station") \
	X(L2_VLAN, "l2_unknown_vlan", "VLAN without an interface here") \
	X(L2_ETHERTYPE, "l2_ethertype", "Ethernet type that is not handled") \
	X(IF_DOWN, "interface_down", "interface is administratively down") \
	X(NO_ADDRESS, "interface_no_address", "interface has no address of that family") \
	X(IP_SHORT, "ip_short", "IP header cut short") \
	X(IP_VERSION, "ip_version", "IP version does not fit the Ethernet type") \
	X(IP_HDRLEN, "ip_header_length", "IPv4 header length below 20 or beyond the packet") \
	X(IP_LENGTH, "ip_length", "IP length beyond the frame or below the header") \
	X(IP_CHECKSUM, "ip_checksum", "wrong IPv4 header checksum") \
	X(MARTIAN_SRC, "martian_source", "source address that no packet may have") \
	X(MARTIAN_DST, "martian_destination", "destination address that is not forwarded") \
	X(LAND, "land", "source and destination are the same endpoint") \
	X(L2_BROADCAST, "l2_broadcast", "unicast IP inside a broadcast or multicast frame") \
	X(MULTICAST, "multicast", "multicast that nobody here wants") \
	X(IP6_HEADERS, "ip6_headers", "IPv6 extension headers malformed, too many, or forbidden") \
	X(IP_OPTIONS, "ip_options", "IP options not allowed by the rule") \
	X(L4_SHORT, "l4_short", "transport header cut short") \
	X(L4_LENGTH, "l4_length", "transport length field beyond the packet") \
	X(TCP_FLAGS, "tcp_flags", "TCP flags or header that no stack sends") \
	X(ND_HOPLIMIT, "nd_hop_limit", "neighbour discovery with a hop limit other than 255") \
	X(MLD, "mld_malformed", "MLD with wrong hop limit or source") \
	X(FRAG_MALFORMED, "fragment_malformed", "fragment that cannot be part of a packet") \
	X(FRAG_OVERLAP, "fragment_overlap", "overlapping fragment refused") \
	X(FRAG_DUPLICATE, "fragment_duplicate", "the same fragment again") \
	X(FRAG_TIMEOUT, "fragment_timeout", "fragments that were never completed") \
	X(FRAG_LIMIT, "fragment_limit", "fragment limit reached") \
	X(FRAG_DF, "fragment_df", "fragment with DF set") \
	X(RULE, "rule_block", "blocked by a rule") \
	X(STATE_MISMATCH, "state_mismatch", "does not fit its state") \
	X(STATE_LIMIT, "state_limit", "state limit of the box reached") \
	X(STATE_NOMEM, "state_memory", "no memory for a state") \
	X(STATE_INSERT, "state_insert", "state collides with another") \
	X(RULE_LIMIT, "rule_limit", "`max` of the rule reached") \
	X(SRC_LIMIT, "source_limit", "limit of the source reached") \
	X(PKT_RATE, "packet_rate", "max-pkt-rate exceeded") \
	X(BAD_TIMESTAMP, "bad_timestamp", "TCP timestamp out of order") \
	X(SYNPROXY, "synproxy", "consumed by the SYN proxy") \
	X(SYNCOOKIE, "syncookie", "answered with a SYN cookie") \
	X(ICMP_MISMATCH, "icmp_mismatch", "ICMP error that does not fit the state it quotes") \
	X(TTL, "ttl_exceeded", "TTL or hop limit used up") \
	X(NO_ROUTE, "no_route", "no route to the destination") \
	X(ROUTE_REJECT, "route_reject", "route says reject or blackhole") \
	X(NEED_FRAG, "need_fragment", "too big for the way out and must not be cut") \
	X(NEIGH_QUEUE, "neighbour_queue", "queue of packets that wait for a neighbour is full") \
	X(NEIGH_FAILED, "neighbour_failed", "neighbour did not answer") \
	X(LOCAL_PROTO, "local_protocol", "for this box, but nobody here listens") \
	X(L4_CHECKSUM, "l4_checksum", "for this box, with a wrong transport checksum") \
	X(ICMP_RATE, "icmp_rate", "an ICMP error or RST was not sent because of the rate limit") \
	X(TX_FULL, "tx_full", "transmit queue did not take it") \
	X(TX_DOWN, "tx_down", "output interface is down") \
	X(HANDOVER_FULL, "handover_full", "ring to the owning worker is full") \
	X(PUNT_FULL, "punt_full", "ring to the main lcore is full") \
	X(NOMBUF, "no_mbuf", "packet buffers exhausted") \
	X(BRIDGE_SAME, "bridge_no_peer", "bridge member without a partner") \
	X(LOOP, "forward_loop", "would leave through itself more often than allowed") \
	X(STALE, "stale", "waited in a receive queue while this box did not run, and another one may be master")

/* Other outcomes and totals. */
#define FP_TOTALS(X) \
	X(RX, "rx", "packets received from ports") \
	X(RX_HANDOVER, "rx_handover", "packets received from other workers") \
	X(FORWARDED, "forwarded", "packets forwarded") \
	X(FORWARDED_FAST, "forwarded_fast", "of these on the short path: one lookup, one tracking") \
	X(LOCAL, "local", "packets for the box itself that were handled") \
	X(PUNTED, "punted", "handed to the main lcore: ARP, ND, CARP, pfsync") \
	X(HANDED_OVER, "handed_over", "handed to the worker that owns the flow") \
	X(FRAG_HELD, "fragments_held", "fragments taken into a reassembly queue") \
	X(FRAG_DONE, "reassembled", "packets reassembled") \
	X(FRAGMENTED, "fragmented", "packets cut on the way out") \
	X(NEIGH_HELD, "neighbour_held", "packets that waited for a neighbour") \
	X(ORIGINATED, "originated", "packets made here: RST, ICMP errors, answers") \
	X(STATE_SEARCHES, "state_searches", "state table lookups as pf counts them") \
	X(STATE_INSERTS, "state_inserts", "states created") \
	X(STATE_REMOVALS, "state_removals", "states removed") \
	X(UNCOUPLED, "uncoupled", "records split because their halves no longer agree") \
	X(LOGGED, "logged", "packets of log rules that were recorded") \
	X(LOG_LOST, "log_lost", "packets of log rules that were not: no buffer, ring full, disk full") \
	X(OVERLOAD_LOST, "overload_lost", "sources for overload tables that found no room on their way to the main lcore") \
	X(SRCNODE_SEARCHES, "source_searches", "look-ups of tracked sources") \
	X(SRCNODE_INSERTS, "source_inserts", "sources that began to be tracked") \
	X(SRCNODE_REMOVALS, "source_removals", "sources that are no longer tracked")

enum fp_reason {
#define X(n, s, h) FP_R_##n,
	FP_REASONS(X)
#undef X
	FP_R_MAX,
	FP_R_NONE = FP_R_MAX
};
enum fp_lcounter {
#define X(n, s) FP_LC_##n,
	FP_LCOUNTERS(X)
#undef X
	FP_LC_MAX
};
enum fp_drop {
#define X(n, s, h) FP_D_##n,
	FP_DROPS(X)
#undef X
	FP_D_MAX,
	FP_D_NONE = FP_D_MAX
};
enum fp_total {
#define X(n, s, h) FP_T_##n,
	FP_TOTALS(X)
#undef X
	FP_T_MAX
};

#endif
