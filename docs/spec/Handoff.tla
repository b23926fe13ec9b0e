------------------------------- MODULE Handoff -------------------------------
(* The lease protocol of kcl_py (PROTOCOL.md sections 1-4): one shard, the workers W, discrete time.
   All times are AGES on the clock of one worker, so there is no horizon: the only budget is MaxC, the highest counter.
   A write is sent, applied (late, or never) and answered (late, or never). Break names ONE rule to break ("none": the protocol).
   Three reductions, each of which only ADDS behaviours:
   - everybody sees a counter the moment it moves (a later sight only waits longer before a take);
   - a decision reads the row when it sends (an older read at the same counter says the same; at another counter the write is refused);
   - an answer shows the row as it is when the answer arrives (as the GetItem after an error without item does).
   row.did and did in a message are ghosts: what the giver had finished when it gave (NoPos: no clean give).               *)
EXTENDS Naturals, FiniteSets, TLC
CONSTANTS W, None,       \* worker ids (a restarted process is another id) and "no id"
          Repair,        \* the owner in a row that an administrator has seized; he sends under that name, too
          D, Margin,     \* lease duration; the fence is sent + D - Margin
          First,         \* who holds the lease at the start (None: an ownerless row)
          Long,          \* a worker configured with D + 1, or None
          K,             \* drift: a clock may miss one tick in K (0: no drift)
          MaxC, MaxP, MaxTry, MaxDelay, MaxSide, MaxCrash, MaxAdm,
                         \* counter, position, attempts on one base, age at which a write is lost for good, requests and withdrawals in flight, crashes, seizures in flight
          Calm,          \* > 0: check Quiet, see below
          Break
VARIABLES row,   \* the item in DynamoDB
          st,    \* what each worker knows
          net,   \* attempts {nonce -> content}: in flight, or applied and not yet learned by the sender
          sa,    \* sight: age of the present counter, on each worker's clock
          sk,    \* drift: ticks until the clock of w may miss one
          q,     \* 0: anything may happen; n > 0: nothing bad happens any more, for n - 1 ticks now
          bad   \* ghost: highest epoch token started; first violation that only an action can see
vars == <<row, st, net, sa, sk, q, bad>>

B(x) == Break = x
Id(w) == IF B("same-id") THEN CHOOSE x \in W : TRUE ELSE w      \* rule: an id is one process
DurOf(w) == IF w = Long THEN D + 1 ELSE D
Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b
Cap == IF Long = None THEN D ELSE D + 1
NoPos == MaxP + 1                                               \* "leave the position alone"
Gives == {"xfer", "rel"}
Side == {"req", "wd"}                                           \* touch neither counter nor nonce
Adm == {"seize", "reset"}                                       \* of the administrator; a reset is a seizure that sets the position
Idle == [up |-> TRUE, ph |-> "idle", run |-> FALSE, c |-> 0, tok |-> 0, fin |-> 0, la |-> Cap, d |-> None]

Init == /\ row = [own |-> First, co |-> None, ctr |-> 1, off |-> 0, pos |-> 0, did |-> NoPos, dur |-> IF First = None THEN D ELSE DurOf(First)]
        /\ st = [w \in W |-> IF w = First THEN [Idle EXCEPT !.ph = "hold", !.c = 1, !.tok = 1, !.la = 0] ELSE Idle]
        /\ net = {} /\ sa = [w \in W |-> 0] /\ sk = [w \in W |-> 0]
        /\ q = 0 /\ bad = "" 

InFence(w) == st[w].la < DurOf(w) - Margin                      \* la counts from the SEND of the attempt that succeeded
Holds(w) == st[w].ph = "hold" /\ InFence(w)
Waiting(w) == \E m \in net : m.w = w /\ m.wt                    \* rule: one owner's write in flight
Eff(w) == row.co = Id(w) \/ (row.own = Id(w) /\ row.co = None)  \* w is the owner in the row (the owner's condition)
Offered == row.off # 0 /\ (row.off = row.ctr \/ B("offer-any-counter") \/ B("offer-both"))
Ownerless == row.own = None
Expired(w) == sa[w] >= IF B("own-duration") THEN DurOf(w) ELSE Max(DurOf(w), row.dur)
Limit == IF q > 0 THEN MaxC + 6 ELSE MaxC
Nonces(w, c) == {i \in 1..(MaxTry + IF q > 0 THEN 1 ELSE 0) : ~\E m \in net : m.w = w /\ m.base = c /\ m.i = i}
NewNonce(w, c) == CHOOSE i \in Nonces(w, c) : \A j \in Nonces(w, c) : i <= j
CanSend(w, c) == st[w].up /\ ~Waiting(w) /\ c < Limit /\ Nonces(w, c) # {}
Msg(w, k, c, pos, to) == [w |-> w, k |-> k, base |-> c, i |-> NewNonce(w, c), pos |-> pos, did |-> NoPos, to |-> to, age |-> 0, s |-> "sent", wt |-> TRUE]
\* rule: giving away is final. A take sent before a give is never adopted any more, even if its nonce is found on the row ("old").
Final(w, N) == {IF m.w = w /\ m.k = "take" /\ ~B("nonce-after-give") THEN [m EXCEPT !.k = "old"] ELSE m : m \in N}
Forget(s) == [Idle EXCEPT !.up = s.up, !.run = s.run, !.fin = IF B("forward-position") THEN s.fin ELSE 0]

------------------------------------------------------------------------------
\* Sending. Each guard G... is also used by Settled below.
\* take: expired, offered, ownerless, or an orphan (the row's owner is me and I do not hold it); never while own user code runs
Orphan(w) == ~B("no-orphan") /\ (Eff(w) \/ (B("orphan-loose") /\ row.own = Id(w)))
GTake(w) == /\ CanSend(w, row.ctr) /\ ~Holds(w) /\ (~st[w].run \/ B("take-while-running"))
            /\ \/ Expired(w) \/ (Offered /\ ~B("no-offer")) \/ Ownerless \/ Orphan(w) \/ B("take-live")
               \/ (row.own = Repair /\ B("take-seized"))
SendTake(w) == /\ GTake(w)
               /\ net' = net \cup {Msg(w, "take", row.ctr, NoPos, None)}
               /\ st' = [st EXCEPT ![w] = Forget(@)] /\ UNCHANGED <<row, sa, sk, q, bad>>
GRenew(w) == /\ CanSend(w, st[w].c) /\ (Holds(w) \/ (B("renew-late") /\ st[w].ph = "hold"))
             /\ st[w].la > 0 \/ st[w].fin # row.pos \/ row.co = Id(w)     \* not twice in a tick without a reason
SendRenew(w) == /\ GRenew(w) /\ net' = net \cup {Msg(w, "renew", st[w].c, st[w].fin, None)}
                /\ UNCHANGED <<row, st, sa, sk, q, bad>>
GCancel(w) == CanSend(w, st[w].c) /\ Holds(w) /\ st[w].d \in W
SendCancel(w) == /\ GCancel(w) /\ net' = net \cup {Msg(w, "cancel", st[w].c, st[w].fin, None)}
                 /\ UNCHANGED <<row, st, sa, sk, q, bad>>
\* transfer / release: after user code returned (also past the fence), and final: from here on w is not the owner
MayGive(w, b) == st[w].run => B(b)
GGive(w) == /\ CanSend(w, st[w].c) /\ st[w].ph \in {"hold", "gave"} /\ st[w].d # None
            /\ MayGive(w, IF st[w].d \in W THEN "transfer-running" ELSE "release-running")
SendGive(w) == /\ GGive(w)
               /\ \E to \in (IF st[w].d \in W THEN {st[w].d} ELSE (W \ {w}) \cup {None}) :
                    net' = Final(w, net) \cup {[Msg(w, IF st[w].d \in W THEN "xfer" ELSE "rel", st[w].c, IF B("give-no-position") THEN NoPos ELSE st[w].fin, to) EXCEPT !.did = st[w].fin]}
               /\ st' = [st EXCEPT ![w].ph = "gave", ![w].la = IF st[w].run \/ B("give-not-final") THEN @ ELSE Cap] /\ UNCHANGED <<row, sa, sk, q, bad>>
\* forward rule: checkpointOwner = me, I do not hold it, no user code runs: transfer; the position is NOT mine to write
GForward(w) == /\ CanSend(w, row.ctr) /\ row.co = Id(w) /\ ~B("no-forward")
               /\ (~Holds(w) \/ B("forward-holding")) /\ MayGive(w, "forward-running")
SendForward(w) == /\ GForward(w)
                  /\ net' = Final(w, net) \cup {Msg(w, "xfer", row.ctr, IF B("forward-position") THEN st[w].fin ELSE NoPos, row.own)}
                  /\ st' = [st EXCEPT ![w] = Forget(@)] /\ UNCHANGED <<row, sa, sk, q, bad>>
\* request and withdraw: T polls the row, so there is nothing to wait for. An offered lease is not requested.
SendSide(w) == /\ st[w].up /\ ~Holds(w) /\ Cardinality({m \in net : m.k \in Side}) < MaxSide
               /\ \E k \in Side, v \in W \ {w} :
                    /\ IF k = "wd" THEN row.own = Id(w) /\ row.co = Id(v)
                       ELSE row.own = Id(v) /\ (row.co = None \/ B("request-over-request")) /\ ~Offered
                    /\ net' = net \cup {[w |-> w, k |-> k, base |-> 0, i |-> 0, pos |-> NoPos, did |-> NoPos, to |-> v, age |-> 0, s |-> "sent", wt |-> FALSE]}
               /\ UNCHANGED <<row, st, sa, sk, q, bad>>
\* The administrator: seizes what he has read, whoever owns it; sets the position of what he sees seized. He may do it again at any time (his answer
\* was lost, or he was refused), so he need not be told anything; what he sent may come as late as it likes. Two attempts on one counter are one.
SendAdm == /\ row.ctr < MaxC /\ Cardinality({m \in net : m.w = Repair}) < MaxAdm
           /\ \E k \in Adm, pos \in 0..NoPos :
                /\ IF k = "reset" THEN row.own = Repair /\ pos # NoPos ELSE pos = NoPos
                /\ net' = net \cup {[w |-> Repair, k |-> k, base |-> row.ctr, i |-> 0, pos |-> pos, did |-> NoPos, to |-> None, age |-> 0,
                                    s |-> "sent", wt |-> FALSE]}
           /\ UNCHANGED <<row, st, sa, sk, q, bad>>
------------------------------------------------------------------------------
\* Applying: the conditions and updates of the table in section 3
Loose(m) == (m.k = "xfer" /\ B("transfer-no-counter")) \/ (m.k = "renew" /\ B("renew-no-counter"))
            \/ (m.k \in Adm /\ B("seize-no-counter"))
Cond(m) == LET me == Id(m.w) IN
  /\ (m.k \notin Side => m.base = row.ctr \/ Loose(m))
  /\ CASE m.k \in {"take", "old"} -> TRUE
       [] m.k \in {"renew", "cancel", "rel"} -> Eff(m.w) \/ B("no-owner-condition")
       [] m.k = "xfer"  -> row.own = m.to /\ row.co = me
       [] m.k = "req"   -> (row.own = Id(m.to) \/ B("request-any-owner")) /\ (row.co = None \/ B("request-over-request"))
       [] m.k \in Adm -> TRUE
       [] m.k = "wd"    -> (row.own = me /\ row.co = Id(m.to)) \/ B("withdraw-any")
Write(m) == LET me == Id(m.w)
                r == [row EXCEPT !.ctr = IF m.k \in {"take", "old"} /\ B("take-no-bump") THEN @ ELSE @ + 1, !.did = m.did,
                                 !.pos = IF m.pos = NoPos THEN @ ELSE m.pos] IN
  CASE m.k \in {"take", "old"} -> [r EXCEPT !.own = me, !.co = None, !.dur = DurOf(m.w), !.off = IF B("offer-kept") \/ B("offer-both") THEN @ ELSE 0]
    [] m.k = "renew"  -> [r EXCEPT !.dur = DurOf(m.w)]
    [] m.k = "cancel" -> [r EXCEPT !.own = me, !.co = None]
    [] m.k = "xfer"   -> [r EXCEPT !.co = None, !.off = r.ctr]
    [] m.k = "rel"    -> [r EXCEPT !.own = IF m.to = None THEN None ELSE Id(m.to), !.co = IF B("release-keeps-co") THEN @ ELSE None, !.off = r.ctr]
    [] m.k = "req"    -> [row EXCEPT !.own = me, !.co = Id(m.to)]
    [] m.k = "wd"     -> [row EXCEPT !.own = Id(m.to), !.co = None]
    [] m.k \in Adm    -> [r EXCEPT !.ctr = IF B("seize-no-bump") THEN row.ctr ELSE m.base + 1, !.own = IF B("seize-no-owner") THEN None ELSE Repair,
                                   !.co = None, !.off = IF B("seize-offers") THEN m.base + 1 ELSE 0, !.dur = IF B("seize-duration") THEN D ELSE @]
\* what is left of the attempts when the row is r: refused ones nobody waits for, and applied ones whose nonce is gone, leave
Prune(N, r) == {IF m.s = "sent" /\ m.k \notin Side /\ m.base # r.ctr /\ ~Loose(m) THEN [m EXCEPT !.s = "no", !.age = 0] ELSE m :
                m \in {n \in N : \/ n.wt \/ n.k \in Side
                                 \/ (n.s = "sent" /\ (n.base = r.ctr \/ Loose(n)))
                                 \/ (n.s = "ok" /\ n.base + 1 = r.ctr /\ st[n.w].up /\ n.k \notin Gives \cup {"old"})}}
Apply(m) == /\ m.s = "sent"
            /\ IF Cond(m)
               THEN /\ row' = Write(m)
                    /\ net' = Prune((net \ {m}) \cup (IF m.k \in Side \cup Adm THEN {} ELSE
                                {[m EXCEPT !.s = "ok", !.pos = IF m.k = "take" THEN row.pos ELSE @, !.age = IF m.k \in Gives THEN 0 ELSE @]}), row')
                    /\ sa' = IF m.k \in Side \/ (m.k \in Adm /\ B("seize-no-bump")) \/ B("take-newer") THEN sa ELSE [w \in W |-> IF B("sight-early") THEN Margin + 1 ELSE 0]
                    /\ bad' = IF row'.pos < row.pos /\ m.k # "reset" THEN "position" ELSE IF m.k = "take" /\ row.did # NoPos /\ row.did # row.pos THEN "again" ELSE bad
               ELSE /\ net' = (net \ {m}) \cup (IF m.wt THEN {[m EXCEPT !.s = "no", !.age = 0]} ELSE {})
                    /\ UNCHANGED <<row, sa, bad>>
            /\ UNCHANGED <<st, sk, q>>
------------------------------------------------------------------------------
\* Answers
Seen(w, s) == IF s.d = "stop" THEN "stop" ELSE IF row.co = Id(w) THEN row.own ELSE None   \* the handshake is level-triggered
Start(w, c, pos, age) == /\ st' = [st EXCEPT ![w] = [Forget(@) EXCEPT !.ph = "hold", !.c = c, !.tok = c, !.fin = pos, !.la = age, !.d = Seen(w, st[w])]]
                         /\ bad' = IF st[w].run THEN "double" ELSE bad
\* attempt a (found by its nonce) is the one that applied; m is the one that was answered
Adopt(w, a, m) ==
  LET s == st[w]
      age == IF B("fence-from-reply") THEN 0 ELSE IF B("fence-newest-attempt") THEN m.age ELSE a.age IN
  CASE a.k = "take" /\ age < DurOf(w) - Margin -> Start(w, a.base + 1 - (IF B("take-no-bump") THEN 1 ELSE 0), a.pos, age)
    [] a.k \in {"renew", "cancel"} /\ s.ph = "hold" /\ (InFence(w) \/ B("revive")) ->
         st' = [st EXCEPT ![w].c = a.base + 1, ![w].la = age, ![w].d = Seen(w, s)] /\ bad' = bad
    [] a.k \in {"renew", "cancel"} /\ s.ph = "gave" ->          \* my own renewal was in the way of my give: give again, still not the owner
         /\ st' = [st EXCEPT ![w].c = a.base + 1, ![w].ph = IF B("nonce-after-give") THEN "hold" ELSE @, ![w].la = IF B("nonce-after-give") THEN age ELSE @,
                             ![w].d = IF B("nonce-after-give") THEN None ELSE @]
         /\ bad' = bad
    [] OTHER -> st' = [st EXCEPT ![w] = Forget(@)] /\ bad' = bad
Reply(m) == /\ m.wt /\ m.s \in {"ok", "no"}
            /\ LET w == m.w
                   mine == {a \in net : a.w = w /\ a.s = "ok" /\ a.base + 1 = row.ctr} IN     \* one of my nonces is on the row
               /\ IF m.s = "ok" THEN Adopt(w, m, m)
                  ELSE IF mine # {} THEN \E a \in mine : Adopt(w, a, [m EXCEPT !.age = 0])
                  ELSE IF B("give-not-final") /\ st[w].ph = "gave" THEN st' = [st EXCEPT ![w].ph = "hold", ![w].d = None] /\ bad' = bad
                  ELSE IF B("victim-row") /\ row.co = Id(w) /\ st[w].ph = "hold"           \* mutant: the table's third row
                       THEN st' = [st EXCEPT ![w].c = row.ctr, ![w].d = row.own] /\ bad' = bad
                  ELSE st' = [st EXCEPT ![w] = Forget(@)] /\ bad' = bad                      \* lost: fence now
               /\ net' = IF m.s = "no" /\ row.ctr = m.base THEN net \ {m} ELSE {n \in net : n.w # w \/ n.k \in Side \/ Loose(n)} \ {m}
            /\ UNCHANGED <<row, sa, sk, q>>
\* the reply is lost, or a timeout, or a 5xx: the write may apply later all the same
Lost(m) == /\ m.wt /\ q = 0
           /\ net' = IF m.s = "no" THEN net \ {m} ELSE Prune((net \ {m}) \cup {[m EXCEPT !.wt = FALSE]}, row)
           /\ st' = IF B("give-not-final") /\ st[m.w].ph = "gave" THEN [st EXCEPT ![m.w].ph = "hold", ![m.w].d = None] ELSE st
           /\ UNCHANGED <<row, sa, sk, q, bad>>
\* mutant: ownership from a read
ReadOwn(w) == /\ B("own-by-read") /\ st[w].up /\ ~Waiting(w) /\ ~Holds(w) /\ ~st[w].run /\ Eff(w) /\ ~Offered
              /\ Start(w, row.ctr, row.pos, 0) /\ UNCHANGED <<row, net, sa, sk, q>>
------------------------------------------------------------------------------
\* User code and operators
Deliver(w) == /\ st[w].ph = "hold" /\ ~st[w].run /\ st[w].d = None /\ (InFence(w) \/ B("no-fence-check"))
              /\ st' = [st EXCEPT ![w].run = TRUE]
              /\ bad' = IF ~InFence(w) THEN "late" ELSE IF \E x \in W : st[x].ph = "hold" /\ st[x].tok > st[w].tok THEN "order" ELSE bad
              /\ UNCHANGED <<row, net, sa, sk, q>>
Return(w) == /\ st[w].run                                       \* may never happen (hung); a result after the fence is ignored
             /\ st' = [st EXCEPT ![w].run = FALSE, ![w].fin = IF Holds(w) \/ (B("late-result") /\ st[w].ph = "hold") THEN Min(@ + 1, MaxP) ELSE @]
             /\ UNCHANGED <<row, net, sa, sk, q, bad>>
Stop(w) == /\ st[w].up /\ st[w].ph = "hold" /\ st[w].d # "stop" /\ st' = [st EXCEPT ![w].d = "stop"]
           /\ UNCHANGED <<row, net, sa, sk, q, bad>>
Crash(w) == /\ st[w].up /\ Cardinality({x \in W : ~st[x].up}) < MaxCrash
            /\ st' = [st EXCEPT ![w] = [Idle EXCEPT !.up = FALSE]]
            /\ net' = {[m EXCEPT !.wt = IF m.w = w THEN FALSE ELSE @] : m \in {n \in net : n.w # w \/ n.s = "sent"}}
            /\ UNCHANGED <<row, sa, sk, q, bad>>
\* one tick; the clocks of the workers in X miss it
Pass(X) == /\ sa' = [w \in W |-> IF w \in X THEN sa[w] ELSE Min(sa[w] + 1, Cap)]
           /\ st' = [w \in W |-> [st[w] EXCEPT !.la = IF w \in X \/ ~InFence(w) THEN @ ELSE @ + 1]]
           /\ net' = {IF m.w \in X \/ m.k \in Side \cup Adm \/ m.s = "no" \/ (m.s = "ok" /\ m.k \in Gives) THEN m ELSE [m EXCEPT !.age = Min(@ + 1, Cap)] :
                        m \in {n \in net : n.s # "sent" \/ n.k \in Side \cup Adm \/ n.age < MaxDelay}}
           /\ sk' = [w \in W |-> IF w \in X THEN K - 1 ELSE IF sk[w] > 0 THEN sk[w] - 1 ELSE 0]
           /\ UNCHANGED <<row, bad>>
Tick == /\ q' = q /\ \E X \in SUBSET {w \in W : K > 0 /\ sk[w] = 0} : Pass(X)
------------------------------------------------------------------------------
\* Quiet (bounded liveness): from ANY reachable state, let nothing bad happen any more (no crash, loss, request, stop, drift; user code
\* returns; what can be done is done before time passes): within Calm ticks somebody holds the lease and no handoff is pending.
Goal == \E w \in W : Holds(w) /\ st[w].d = None /\ row.co = None
UpId(x) == x \in W /\ st[x].up
MustRenew(w) == (row.co = w /\ st[w].d = None) \/ (st[w].d # None /\ st[w].la > 0)   \* to see a request; to stay alive while draining
Settled == /\ \A m \in net : m.s # "sent" /\ ~m.wt
           /\ \A w \in W : /\ ~st[w].run /\ ~GTake(w) /\ ~(GRenew(w) /\ MustRenew(w))
                           /\ ~(GCancel(w) /\ ~UpId(st[w].d) /\ ~B("no-cancel"))
                           /\ ~(GGive(w) /\ (st[w].d = "stop" \/ UpId(st[w].d))) /\ ~(GForward(w) /\ UpId(row.own))
CalmStart == Calm > 0 /\ ~Goal /\ q' = 1 /\ UNCHANGED <<row, st, net, sa, sk, bad>>
CalmNext == /\ ~Goal /\ q <= Calm
            /\ \/ \E m \in net : Apply(m) \/ Reply(m)
               \/ \E w \in W : \/ Return(w) \/ SendTake(w)
                               \/ (MustRenew(w) /\ SendRenew(w))
                               \/ (~UpId(st[w].d) /\ ~B("no-cancel") /\ SendCancel(w))
                               \/ ((st[w].d = "stop" \/ UpId(st[w].d)) /\ SendGive(w))
                               \/ (UpId(row.own) /\ SendForward(w))
               \/ (Settled /\ q' = q + 1 /\ Pass({}))
Next == IF q > 0 THEN CalmNext ELSE
        \/ Tick \/ CalmStart \/ SendAdm
        \/ \E m \in net : Apply(m) \/ Reply(m) \/ Lost(m)
        \/ \E w \in W : \/ SendTake(w) \/ SendRenew(w) \/ SendCancel(w) \/ SendGive(w) \/ SendForward(w) \/ SendSide(w)
                        \/ ReadOwn(w) \/ Deliver(w) \/ Return(w) \/ Stop(w) \/ Crash(w)
Spec == Init /\ [][Next]_vars
Symmetry == Permutations(W \ {First, Long})                     \* for runs without a mutant
------------------------------------------------------------------------------
Active(w) == InFence(w) /\ (st[w].ph = "hold" \/ st[w].run)     \* may be, or is, delivered to inside its fence
AtMostOneActive == \A a, b \in W : Active(a) /\ Active(b) => a = b
NoNewDeliveryAfterFence == bad # "late"
EpochOrder == bad # "order"                                     \* I3: only the newest epoch is delivered to
PositionMonotone == bad # "position"
TokenUnique == \A a, b \in W : st[a].ph = "hold" /\ st[b].ph = "hold" /\ st[a].tok = st[b].tok => a = b
CleanMove == bad # "again"                                      \* no duplicates on clean moves: after a give the next epoch starts where the giver had come to
OneProcessor == bad # "double"                                  \* no epoch begins while my earlier user code runs
GivenAwayNotRunning == /\ \A m \in net : m.k \in Gives /\ m.s # "no" => ~st[m.w].run
                       /\ (row.off = row.ctr \/ Ownerless) => \A w \in W : ~Active(w)
RowSane == (row.own = None => row.co = None) /\ (row.co # None => row.co # row.own)
Quiet == q <= Calm
==============================================================================
