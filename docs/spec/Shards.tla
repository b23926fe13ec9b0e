------------------------------- MODULE Shards -------------------------------
(* Children, shard ends, creation and deletion of rows (PROTOCOL.md sections 2, 3 and 5): a few shards, the workers W, no clocks.
   What Handoff.tla shows for one lease is taken for granted: a take that applies ends whatever the old owner may do, but not its writes in
   flight. Any lease may be taken at any time (its owner crashed, froze, gave it away). Takes, creates, shard ends and deletes are sent and
   applied at any later time, or never. Break names ONE rule to break ("none": the protocol).
   The stream was resharded before the start: parents are closed, children open. Rows of the parents are there or yet to be made.
   Wall clocks may be arbitrarily wrong: a new counter comes from what was read, never from milliseconds.                    *)
EXTENDS Naturals, FiniteSets, TLC
CONSTANTS W, None, Old, New,   \* workers, "nobody", parents, children
          Repair,   \* the owner in a row that an administrator has seized
          MaxTake, MaxNet, MaxLie, MaxMake,   \* takes in all, writes in flight, listings that omit a listed shard, repairs by sync
          MaxReset,   \* an administrator resets everything to the oldest record while the fleet runs: how often he plans it; 0: not at all
          Break
VARIABLES kin,    \* shard -> "closed", "open" or "gone" (trimmed: never listed, never read again)
          row,    \* shard -> NoRow or the item
          ep,     \* worker, shard -> what it does with the shard
          net,    \* writes in flight
          miss,   \* parent -> how many listings, 60 s apart, have not shown it (whoever made them)
          sc,     \* shard that the scan of the sync under way did not find, or None
          left,   \* budgets
          adm,    \* the administrator: ph "off", "on" (since the first plan) or "done"; plans left; what is yet to be reset; the counters for
                  \* which that was planned (0: no row); what waits for no parent then
          gh,     \* ghosts: shard -> highest token delivered with, SHARD_END durable and delivered from (since the reset), row ever made
          bad     \* first violation that only an action can see
vars == <<kin, row, ep, net, miss, sc, left, adm, gh, bad>>

B(x) == Break = x
S == Old \cup New
Parents(s) == IF s \in New THEN Old ELSE {}
Children(s) == IF s \in Old THEN New ELSE {}
Max(X) == CHOOSE x \in X : \A y \in X : y <= x
NoRow == [own |-> None, ctr |-> 0, end |-> FALSE, beg |-> FALSE,  \* beg: a position is on it, or kclRoot, so it waits for no parent
          late |-> FALSE, gen |-> 0]      \* late: begins at a time T, after the place to which it will be reset; gen: ghost, 1: made or reset since the plan
There(s) == row[s].ctr > 0
Off == [ph |-> "no", tok |-> 0, got |-> FALSE, abs |-> {}, late |-> FALSE, gen |-> 0]
Gen == IF adm.ph = "off" THEN 0 ELSE 1
Init == /\ kin = [s \in S |-> IF s \in Old THEN "closed" ELSE "open"]
        /\ \E made \in SUBSET Old :
             /\ made # {}
             /\ row = [s \in S |-> IF s \in made THEN [NoRow EXCEPT !.ctr = 1, !.late = MaxReset > 0] ELSE NoRow]
             /\ gh = [s \in S |-> [tok |-> 0, end |-> FALSE, made |-> s \in made, read |-> FALSE]]
        /\ ep = [w \in W |-> [s \in S |-> Off]] /\ net = {}
        /\ miss = [s \in Old |-> 0] /\ sc = None
        /\ left = [take |-> MaxTake, lie |-> MaxLie, make |-> MaxMake] /\ bad = ""
        /\ adm = [ph |-> "off", n |-> MaxReset, todo |-> {}, at |-> [s \in S |-> 0], root |-> {}]

Send(m) == Cardinality(net) < MaxNet /\ m \notin net /\ net' = net \cup {m}
\* 1 + highest counter seen (all rows as they are now, parents among them)
Fresh(s) == IF B("create-at-one") THEN 1 ELSE
            IF B("create-below-parents") THEN 1 + row[s].ctr ELSE 1 + Max({row[x].ctr : x \in S})
------------------------------------------------------------------------------
\* Leases. Which row may be taken: anyone's, at any time, but not a finished one
SendTake(w, s) == /\ left.take > 0 /\ There(s) /\ (~row[s].end \/ B("take-finished")) /\ ep[w][s].ph = "no"
                  /\ Send([k |-> "take", w |-> w, s |-> s, c |-> row[s].ctr])
                  /\ left' = [left EXCEPT !.take = @ - 1] /\ UNCHANGED <<kin, row, ep, miss, sc, adm, gh, bad>>
\* the parents of a waiting child: read consistently; an absent row counts only if two listings have lacked it before the read
Gone(p) == miss[p] >= (IF B("absent-done") THEN 0 ELSE IF B("absent-one-listing") THEN 1 ELSE 2)
Done(w, s, p) == \/ There(p) /\ row[p].end
                 \/ Gone(p) /\ IF B("absent-read-first") THEN p \in ep[w][s].abs ELSE ~There(p)
Absent(w, s, p) == /\ B("absent-read-first") /\ ep[w][s].ph = "wait" /\ ~There(p) /\ ep' = [ep EXCEPT ![w][s].abs = @ \cup {p}]
                   /\ UNCHANGED <<kin, row, net, miss, sc, left, adm, gh, bad>>
\* all parents done: one more write, above their last counters; its counter is the token of the epoch
Begin(w, s) ==
  /\ ep[w][s].ph = "wait" /\ row[s].own = w
  /\ IF B("one-parent") THEN \E p \in Parents(s) : Done(w, s, p) ELSE \A p \in Parents(s) : Done(w, s, p)
  /\ LET c == IF B("token-of-the-take") THEN row[s].ctr ELSE 1 + Max({row[x].ctr : x \in Parents(s) \cup {s}}) IN
     /\ ep' = [ep EXCEPT ![w][s].ph = "run", ![w][s].tok = IF B("token-of-the-take") THEN @ ELSE c]
     /\ row' = [row EXCEPT ![s].ctr = c, ![s].beg = TRUE]
  /\ UNCHANGED <<kin, net, miss, sc, left, adm, gh, bad>>
\* some records; what was fetched before the shard was trimmed is still delivered
Deliver(w, s) ==
  LET e == ep[w][s] IN
  /\ e.ph = "run" /\ (kin[s] # "gone" \/ e.got)
  /\ ep' = [ep EXCEPT ![w][s].got = TRUE] /\ gh' = [gh EXCEPT ![s].tok = Max({@, e.tok}), ![s].read = @ \/ e.gen = Gen]
  /\ bad' = IF bad # "" \/ e.gen # Gen \/ adm.ph = "on" THEN bad   \* what began before a reset is not judged after it: it ends with its fence
            ELSE IF gh[s].end THEN "again"
            ELSE IF \E p \in Parents(s) : ~gh[p].end /\ kin[p] # "gone" THEN "parent"
            ELSE IF \E c \in Children(s) : gh[c].read THEN "order"
            ELSE IF e.tok < gh[s].tok \/ \E p \in Parents(s) : e.tok <= gh[p].tok THEN "token" ELSE ""
  /\ UNCHANGED <<kin, row, net, miss, sc, left, adm>>
\* the last page says that the shard is closed and names its children; or the shard is gone; or it was closed before T
AtEnd(w, s) == ep[w][s].ph = "run" /\ s \in Old /\ (ep[w][s].got \/ kin[s] = "gone" \/ B("end-unread") \/ ep[w][s].late)
MakeChild(w, s, c) == /\ AtEnd(w, s) /\ ~There(c)
                      /\ Send([k |-> "create", w |-> None, s |-> c, c |-> Fresh(c), late |-> ep[w][s].late /\ ~ep[w][s].got /\ ~B("reset-plan-first")])
                      /\ UNCHANGED <<kin, row, ep, miss, sc, left, adm, gh, bad>>
\* giving away is final
SendEnd(w, s) == /\ AtEnd(w, s) /\ ((\A c \in Children(s) : There(c)) \/ B("end-before-children"))
                 /\ Send([k |-> "end", w |-> w, s |-> s, c |-> row[s].ctr])
                 /\ ep' = IF B("end-not-final") THEN ep ELSE [ep EXCEPT ![w][s] = Off]
                 /\ UNCHANGED <<kin, row, miss, sc, left, adm, gh, bad>>
\* crashed, or fenced: it is for a later take
Drop(w, s) == ep[w][s] # Off /\ ep' = [ep EXCEPT ![w][s] = Off] /\ UNCHANGED <<kin, row, net, miss, sc, left, adm, gh, bad>>
------------------------------------------------------------------------------
\* The stream, listings, sync, tombstones
Trim(s) == /\ kin[s] = "closed" /\ kin' = [kin EXCEPT ![s] = "gone"] /\ UNCHANGED <<row, ep, net, miss, sc, left, adm, gh, bad>>
\* a listing that lacks s: true, or late by less than 60 s (then the listing before did not lack it)
Miss(s) == /\ miss[s] < 2
           /\ \/ (kin[s] = "gone" /\ left' = left)
              \/ kin[s] # "gone" /\ miss[s] = 0 /\ left.lie > 0 /\ left' = [left EXCEPT !.lie = @ - 1]
           /\ miss' = [miss EXCEPT ![s] = @ + 1] /\ UNCHANGED <<kin, row, ep, net, sc, adm, gh, bad>>
Show(s) == /\ kin[s] # "gone" /\ miss[s] = 1 /\ miss' = [miss EXCEPT ![s] = 0]
           /\ UNCHANGED <<kin, row, ep, net, sc, left, adm, gh, bad>>
\* sync: complete scan, then a fresh listing, then create-if-absent
Scan(s) == /\ sc = None /\ left.make > 0 /\ (IF B("list-first") THEN kin[s] # "gone" ELSE ~There(s))
           /\ sc' = s /\ left' = [left EXCEPT !.make = @ - 1] /\ UNCHANGED <<kin, row, ep, net, miss, adm, gh, bad>>
Sync == /\ sc # None /\ sc' = None
        /\ IF (IF B("list-first") THEN ~There(sc) ELSE kin[sc] # "gone")
             THEN Send([k |-> "create", w |-> None, s |-> sc, c |-> Fresh(sc), late |-> MaxReset > 0]) ELSE net' = net
        /\ UNCHANGED <<kin, row, ep, miss, left, adm, gh, bad>>
\* a tombstone goes when its shard is gone for good and no child still waits for it
SendDelete(s) == /\ There(s) /\ row[s].end
                 /\ miss[s] >= (IF B("delete-listed") THEN 0 ELSE IF B("delete-one-listing") THEN 1 ELSE 2)
                 /\ \A c \in Children(s) : row[c].beg \/ row[c].end \/ B("delete-awaited")
                 /\ Send([k |-> "delete", w |-> None, s |-> s, c |-> row[s].ctr])
                 /\ UNCHANGED <<kin, row, ep, miss, sc, left, adm, gh, bad>>
------------------------------------------------------------------------------
\* The administrator. Each of his writes is conditional on the counter (a create: on absence) and says nothing but what he read of this row, and his
\* plan: so it is as good as made when it applies, and a repeated one is refused. A seizure ends nothing: the old owner goes on until its fence,
\* which has passed when somebody takes the row (Handoff.tla). Then a plan, from a consistent scan and a listing; and it is carried out, parents first.
Listed(s) == kin[s] # "gone"
Loose(s) == There(s) /\ ~row[s].end /\ row[s].own # Repair
Coming(s) == Listed(s) \/ (There(s) /\ ~row[s].end)
Follows(s) == \E p \in Parents(s) : Coming(p)
Begun == adm.ph = "on" /\ adm.todo # {}
Seize(s) == /\ adm.n > 0 /\ adm.ph # "done" /\ ~Begun /\ Loose(s)
            /\ row' = [row EXCEPT ![s].own = Repair, ![s].ctr = @ + 1]
            /\ UNCHANGED <<kin, ep, net, miss, sc, left, adm, gh, bad>>
Plan == /\ adm.n > 0 /\ adm.ph # "done" /\ ~Begun
        /\ (\A s \in S : Listed(s) => ~Loose(s)) \/ B("reset-loose") \/ B("reset-plan-first")
        /\ LET T == {s \in S : Listed(s) /\ (There(s) \/ ~Follows(s) \/ ~(B("reset-leaves-children") \/ B("reset-plan-first")))} IN
             adm' = [ph |-> "on", n |-> adm.n - 1, todo |-> T, at |-> [s \in S |-> IF s \in T THEN row[s].ctr ELSE 0],
                     root |-> {s \in T : ~Follows(s)}]
        /\ row' = [s \in S |-> [row[s] EXCEPT !.gen = 0]] /\ ep' = [w \in W |-> [s \in S |-> [ep[w][s] EXCEPT !.gen = 0]]]
        /\ gh' = [s \in S |-> [gh[s] EXCEPT !.end = FALSE, !.read = FALSE]]
        /\ UNCHANGED <<kin, net, miss, sc, left, bad>>
Rest(T) == [adm EXCEPT !.todo = T, !.at = [s \in S |-> IF s \in T THEN @[s] ELSE 0], !.root = @ \cap T]
Reset(s) ==
  /\ Begun /\ s \in adm.todo /\ (\A p \in Parents(s) : p \notin adm.todo)
  /\ IF row[s].ctr = adm.at[s] \/ (There(s) /\ adm.at[s] > 0 /\ B("reset-plan-first"))
     THEN /\ row' = [row EXCEPT ![s] = [own |-> Repair, ctr |-> IF B("reset-adds-one") /\ There(s) THEN row[s].ctr + 1 ELSE Fresh(s), end |-> FALSE,
                                        beg |-> s \in adm.root, late |-> FALSE, gen |-> 1]]
          /\ gh' = [gh EXCEPT ![s].made = TRUE, ![s].end = FALSE, ![s].read = FALSE]
          /\ adm' = [Rest(adm.todo \ {s}) EXCEPT !.ph = IF adm.todo = {s} THEN "done" ELSE @]
     ELSE adm' = Rest({}) /\ UNCHANGED <<row, gh>>             \* somebody moved it: all over again
  /\ UNCHANGED <<kin, ep, net, miss, sc, left, bad>>
------------------------------------------------------------------------------
\* Applying: the conditions and updates of the table in section 3
Cond(m) == LET r == row[m.s] IN
  CASE m.k = "create" -> ~There(m.s) \/ B("create-overwrites")
    [] m.k = "take"   -> There(m.s) /\ r.ctr = m.c
    [] m.k = "end"    -> There(m.s) /\ r.own = m.w /\ (r.ctr = m.c \/ B("end-no-counter"))
    [] m.k = "delete" -> There(m.s) /\ (r.ctr = m.c \/ B("delete-no-counter") \/ B("delete-any")) /\ (r.end \/ B("delete-any") \/ B("delete-no-end"))
Apply(m) ==
  /\ net' = net \ {m} /\ UNCHANGED <<kin, miss, sc, left, adm, bad>>
  /\ LET s == m.s
         r == row[s] IN
     IF ~Cond(m) THEN UNCHANGED <<row, ep, gh>>
     ELSE CASE m.k = "create" -> /\ row' = [row EXCEPT ![s] = [NoRow EXCEPT !.ctr = m.c, !.late = m.late, !.gen = Gen]] /\ ep' = ep
                                 /\ gh' = [gh EXCEPT ![s].made = TRUE]
            [] m.k = "take" -> /\ row' = [row EXCEPT ![s].own = m.w, ![s].ctr = @ + 1] /\ gh' = gh
                               /\ ep' = [w \in W |-> [ep[w] EXCEPT ![s] = IF w # m.w THEN Off ELSE
                                           [Off EXCEPT !.ph = IF s \in New /\ ~r.beg THEN "wait" ELSE "run", !.tok = r.ctr + 1,
                                                !.late = r.late, !.gen = r.gen]]]
            [] m.k = "end" -> /\ row' = [row EXCEPT ![s].own = None, ![s].ctr = @ + 1, ![s].end = TRUE] /\ ep' = ep
                              /\ gh' = [gh EXCEPT ![s].end = @ \/ r.gen = Gen]
            [] m.k = "delete" -> row' = [row EXCEPT ![s] = NoRow] /\ UNCHANGED <<ep, gh>>
Lost(m) == net' = net \ {m} /\ UNCHANGED <<kin, row, ep, miss, sc, left, adm, gh, bad>>

Next == \/ \E m \in net : Apply(m) \/ Lost(m)
        \/ Sync \/ Plan
        \/ \E s \in S : Seize(s) \/ Reset(s)
        \/ \E s \in Old : Trim(s) \/ Miss(s) \/ Show(s) \/ Scan(s) \/ SendDelete(s)
        \/ \E w \in W, s \in S :
             \/ SendTake(w, s) \/ Begin(w, s) \/ Deliver(w, s) \/ SendEnd(w, s) \/ Drop(w, s)
             \/ \E c \in Children(s) : MakeChild(w, s, c)
             \/ \E p \in Parents(s) : Absent(w, s, p)
Spec == Init /\ [][Next]_vars
Symmetry == Permutations(W) \cup Permutations(Old) \cup Permutations(New)
------------------------------------------------------------------------------
ParentsFirst == bad # "parent"           \* I4: a child's delivery only after SHARD_END of all its parents is durable (or they are gone for good)
NothingAfterChild == bad # "order"       \* and nothing of a parent after it
NoResurrection == bad # "again"          \* I9: nothing is delivered once SHARD_END was durable
TokensGrow == bad # "token"              \* over epochs, over re-creation, from parents to children
ChildrenMade == \A s \in Old : gh[s].end => \A c \in Children(s) : gh[c].made
EndedUnread == \A s \in Old : gh[s].end => gh[s].read \/ kin[s] = "gone" \/ (adm.ph # "done" /\ MaxReset > 0)     \* I5: SHARD_END only after everything was delivered
\* after a reset everything begins where it was asked to
NothingLeftOut == adm.ph = "done" => \A s \in S : Listed(s) /\ There(s) => ~row[s].late
FinishedUnowned == \A s \in S : row[s].end => row[s].own = None
==============================================================================
