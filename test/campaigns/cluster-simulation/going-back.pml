/*
 * A line that three nodes lease from a store that goes back in time, for the model checker spin.
 *
 * What is shown: no number is leased twice, in every order of events within the bounds below. A number
 * in a node's folder counts as handed out, because nothing keeps the node from it. Two more things are
 * asserted: a node that knows better (some write of its own is gone from the store) never answers a roll
 * call and never takes the store as it is, unless an operator said so; and no node accuses a store that never
 * went back, or takes a write of its own for somebody else's.
 *
 * The one case that is excluded, as docs/CLUSTER.md says: nobody who knows better speaks before the
 * time-out of a roll call. Here the time-out passes only when nobody knows better or somebody has marked the
 * cluster's row. With -DANY_TIMEOUT it may pass at any time, and spin finds the number that comes
 * twice. With -DPROMOTED each going back brings a new timeline, and nothing is assumed of the time-out.
 *
 * How it follows src/cluster:
 * - A guarded transaction is one step, at the moment of its write: the guards say that what it read
 *   is true then. What is carried from one transaction to the next is a variable: the call that a
 *   caller knew, whether the store answered out of another term (confirmed is BEFORE).
 * - The answer to a write may be lost (TROUBLES): the write is in the store, and the node does not know.
 *   A write that is not in the store changes nothing, so that it is no step. The intent is in the folder
 *   before each write, and with it that the write before was made.
 * - A crash (TROUBLES, too) takes what only the process knew. The folder stays.
 * - A stamp is a number that rises. The node knows all stamps from `written` on as its own, for each
 *   was intended first; 0 is no row. Stamps and calls are only compared, so they are renumbered without
 *   gaps after each step, to keep the states few.
 * - Left out: the store's revision and `isRestored`, which only help; late writes of a dead process;
 *   nodes that leave; and a store that comes back to what it had forgotten.
 * - The nodes are alike, so the first one to start is node 0, and so on.
 *
 * Mutations, each a macro: NO_ROLL_CALL, NO_OWN_ROW, NO_MARK, NO_INTENT, DOUBT_NOT_DURABLE,
 * ANSWER_WITHOUT_LOOKING, CALL_NOT_NEW, TERM_NOT_COMPARED, CONFIRMED_FOR_GOOD, NO_MARGIN, ANY_TIMEOUT.
 * Three more say how the code was before this model found them, each a test in cluster.test.ts now or mended:
 * - STRANGERS_NOT_AWAITED: a roll call ends as soon as all nodes that have a row answered. A node whose
 *   first start is forgotten has none, and is not asked, though it runs. A roll call
 *   lasts until such a node has spoken; that none speaks before the time-out is the excluded case.
 * - MEND_NOT_FINISHED: a running node whose mending fails halfway goes on as if it had finished, and
 *   from then on takes every going back within that epoch for the operator's word. It
 *   tries again now.
 * - STALE_ANSWER: a node answers the call that it read a moment ago, which the store may have forgotten
 *   meanwhile. It answers the call that the store has at that moment. Only a store whose
 *   revision has caught up by then could get the other.
 *
 * spin -a going-back.pml && gcc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000
 * 5.9 million states, 15 s, 700 MB. What led to an error is told by: spin -t -T going-back.pml
 */

#ifndef NODES
#define NODES 3 /* or 2 */
#endif
#ifndef NUMBERS
#define NUMBERS 2 /* The line has so many. */
#endif
#ifndef BACKS
#define BACKS 1 /* So often the store goes back; as many backups are taken. */
#endif
#ifndef ADVANCES
#define ADVANCES 1 /* So often the operator advances. */
#endif
#ifndef TROUBLES
#define TROUBLES 1 /* Crashes and lost answers, all together. */
#endif

#if NODES == 3
#define ANY(is) (is(0) || is(1) || is(2))
#else
#define ANY(is) (is(0) || is(1))
#endif

/* The store: the cluster's row, the roll's, the line's, and those of the nodes. */
byte epoch = 1;
bit mark;
bit isNewTimeline; /* The store's is not the one in the cluster's row. */
byte roll;
byte next;
byte row[NODES]; /* The stamp; 0 where there is no row. */
byte answered[NODES];

/* A backup of it. */
bit isSaved;
byte savedEpoch;
bit savedMark;
bit savedNewTimeline;
byte savedRoll;
byte savedNext;
byte savedRow[NODES];
byte savedAnswered[NODES];

/* The folder of each node. */
byte written[NODES];
byte folderEpoch[NODES]; /* 0 in an empty folder. */
bit doubt[NODES];

/* The process of each node; all 0 while it is down. */
#define NONE 0
#define NOW 1
#define BEFORE 2 /* In another term of the store, and the node has not heard of that one yet. */
#define IDLE 0
#define BEGINS 1 /* It read the last call. */
#define BEGAN_BEFORE 2 /* It read it in another term of the store. */
#define WAITS 3
bit isUp[NODES];
byte known[NODES]; /* The last stamp that it knows to be in the store. */
byte nodeEpoch[NODES];
byte confirmed[NODES];
byte phase[NODES]; /* Of its roll call. */
byte call[NODES]; /* The last one while it begins, then its own. */
#ifdef STALE_ANSWER
byte owed[NODES];
#define OWES(n) (owed[n] > 0)
#else
#define OWES(n) false
#endif

/* What nobody in the model sees. */
byte taken; /* A bit for each number. */
byte top; /* How far the line was ever leased. */
byte lastEpoch = 1;
bit knowsBetter[NODES];
byte backs, backups, advances, troubles;
hidden byte i, m, fresh;

/* How far a folder knows the line to be leased matters only there: else the operator's margin covers it. */
#ifdef MEND_NOT_FINISHED
byte leasedTo[NODES];
#define FORGOT_LEASES(n) (next < leasedTo[n])
#define mendLine(n) if :: FORGOT_LEASES(n) -> next = leasedTo[n] :: else fi
#define learnLeases(n) leasedTo[n] = next + 1
#else
#define FORGOT_LEASES(n) false
#define mendLine(n) skip
#define learnLeases(n) skip
#endif

/* What is asserted beside the numbers. */
#ifdef ONLY_NUMBERS
#define REQUIRE(condition) skip
#else
#define REQUIRE(condition) assert(condition)
#endif

#define CAN_FAIL (troubles < TROUBLES)

/* Whether the node's own row is as it knows it. */
#if defined(NO_OWN_ROW)
#define IS_OURS(n) true
#elif defined(NO_INTENT)
#define IS_OURS(n) (row[n] == known[n])
#else
#define IS_OURS(n) (row[n] >= known[n])
#endif
#ifdef NO_MARK
#define IS_MARKED false
#else
#define IS_MARKED mark
#endif

/* FencedStore.checkFence(). What the operator took is not in the folder yet where the epochs differ. */
#define DOUBTS(n) (doubt[n] && nodeEpoch[n] == folderEpoch[n])
#define IS_FENCE_WHOLE(n) (epoch == nodeEpoch[n] && !DOUBTS(n) && !IS_MARKED && IS_OURS(n))
#define IS_EPOCH_NEWER(n) (epoch > folderEpoch[n])

#define KNOWS_BETTER(m) knowsBetter[m]
#define IS_STRANGER(m) (row[m] == 0 && knowsBetter[m])
#if defined(ANY_TIMEOUT) || defined(PROMOTED)
#define CAN_TIME_OUT true
#else
#define CAN_TIME_OUT (mark || !ANY(KNOWS_BETTER))
#endif
#ifdef STRANGERS_NOT_AWAITED
#define STRANGERS_SPOKE true
#else
#define STRANGERS_SPOKE (mark || !ANY(IS_STRANGER))
#endif

/*
 * After the last going back all is well once the line is as far as it ever was, or is marked for good:
 * nothing that was leased can be leased again. What else could happen is not looked at.
 */
#define IS_OVER (backs == BACKS && (next >= top || (IS_MARKED && advances == ADVANCES)))

/* Renumbers the stamps of a node. Where no crash can come any more, the folder's is of no account. */
#define HAS_STAMP(n) (row[n] == i || savedRow[n] == i || written[n] == i || known[n] == i)
inline lower(value) {
  if :: value > i -> value-- :: else fi
}
inline tidyStamps(n) {
  if :: isUp[n] && !CAN_FAIL -> written[n] = known[n] :: else fi;
  i = 5;
  do
  :: i > 0 && HAS_STAMP(n) -> i--
  :: i > 0 && !HAS_STAMP(n) ->
     lower(row[n]); lower(savedRow[n]); lower(written[n]); lower(known[n]);
     i--
  :: else -> break
  od
}

/* Renumbers the calls. */
#ifdef STALE_ANSWER
#define HAS_CALL(m) (answered[m] == i || savedAnswered[m] == i || call[m] == i || owed[m] == i)
#else
#define HAS_CALL(m) (answered[m] == i || savedAnswered[m] == i || call[m] == i)
#endif
inline tidyCalls() {
  i = 12;
  do
  :: i > 0 && (roll == i || savedRoll == i || ANY(HAS_CALL)) -> i--
  :: i > 0 && !(roll == i || savedRoll == i || ANY(HAS_CALL)) ->
     lower(roll); lower(savedRoll);
     m = 0;
     do
     :: m < NODES ->
        lower(answered[m]); lower(savedAnswered[m]); lower(call[m]);
#ifdef STALE_ANSWER
        lower(owed[m]);
#endif
        m++
     :: else -> break
     od;
     i--
  :: else -> break
  od;
  m = 0
}

/* A d_step may not end with a jump. */
inline done() { fresh = 0 }

/* The node's own row is written anew. What the process knew before is in the folder by then. */
inline stamp(n, isHeard) {
  fresh = row[n];
  if :: savedRow[n] > fresh -> fresh = savedRow[n] :: else fi;
  if :: written[n] > fresh -> fresh = written[n] :: else fi;
  if :: known[n] > fresh -> fresh = known[n] :: else fi;
#ifndef NO_INTENT
  written[n] = known[n];
#endif
  row[n] = fresh + 1;
  if :: isHeard -> known[n] = row[n] :: else fi;
  tidyStamps(n)
}

inline endRollCall(n, how) {
  phase[n] = IDLE; call[n] = 0; confirmed[n] = how;
  tidyCalls()
}

/* The node found that the store went back. In doubt it does nothing any more but mark. */
inline object(n) {
#ifdef NO_INTENT
  REQUIRE(row[n] <= known[n]);
#endif
  REQUIRE(backs > 0);
  printf("node %d doubts\n", n);
  doubt[n] = true;
  endRollCall(n, NONE)
}

/* The store is taken as it is, at the operator's word. */
inline rewriteOwnRow(n) {
  REQUIRE(!knowsBetter[n]);
  if :: row[n] < known[n] -> row[n] = known[n] :: else fi
}
inline acceptEpoch(n) {
  printf("node %d accepts epoch %d\n", n, epoch);
  rewriteOwnRow(n);
  mendLine(n);
  stamp(n, true);
  nodeEpoch[n] = epoch; folderEpoch[n] = epoch; doubt[n] = false; written[n] = known[n];
  tidyStamps(n);
  endRollCall(n, NONE)
}

/* The fence was found whole. */
inline answer(n, which, isHeard) {
  printf("node %d answers call %d\n", n, which);
  REQUIRE(!knowsBetter[n]);
  known[n] = row[n];
  answered[n] = which;
  stamp(n, isHeard);
  tidyCalls()
}

/* The fence was found whole. The caller's own answer is its call. */
inline makeCall(n, isHeard) {
#ifndef CALL_NOT_NEW
  call[n]++;
#endif
  if :: call[n] < roll -> call[n] = roll :: else fi;
  if :: call[n] == 0 -> call[n] = 1 :: else fi;
  known[n] = row[n];
  if
  :: call[n] > roll || answered[n] < call[n] ->
     roll = call[n];
     if :: answered[n] < roll -> answered[n] = roll :: else fi;
     answer(n, answered[n], isHeard)
  :: else -> tidyStamps(n)
  fi
}

/* The fence was found whole. Out of another term it is written, but nobody hands it out. */
inline lease(n, isHeard) {
  printf("node %d leases %d, heard %d, confirmed %d\n", n, next, isHeard, confirmed[n]);
  known[n] = row[n];
  stamp(n, isHeard);
  if
  :: isHeard && confirmed[n] == NOW ->
     assert((taken & (1 << next)) == 0);
     taken = taken | (1 << next);
     learnLeases(n);
     written[n] = known[n];
     tidyStamps(n)
  :: else -> confirmed[n] = NONE
  fi;
  next++;
  if :: next > top -> top = next :: else fi
}

/* The process is gone, and with it what only it knew. */
inline stop(n) {
  printf("node %d crashes\n", n);
  knowsBetter[n] =
    knowsBetter[n] && folderEpoch[n] >= epoch && (written[n] > row[n] || doubt[n]);
  isUp[n] = false; known[n] = 0; nodeEpoch[n] = 0;
#ifdef STALE_ANSWER
  owed[n] = 0;
#endif
#ifdef DOUBT_NOT_DURABLE
  doubt[n] = false;
#endif
  tidyStamps(n);
  endRollCall(n, NONE)
}

/* A process reads its folder. An empty one becomes a node of the present epoch. */
#define CAN_START(n) \
  (!isUp[n] && (folderEpoch[n] > 0 || (!mark && (n == 0 || folderEpoch[n - 1] > 0))))
inline readFolder(n) {
  if :: folderEpoch[n] == 0 -> folderEpoch[n] = epoch :: else fi;
  known[n] = written[n]; nodeEpoch[n] = folderEpoch[n]
}
inline leaveFolder(n) {
  known[n] = 0; nodeEpoch[n] = 0;
  tidyStamps(n)
}

proctype Node(byte n) provided (!IS_OVER) {
end:
  do
  /* It enters. One that cannot waits at its start, and may mark. */
  :: d_step {
      CAN_START(n) ->
      printf("node %d starts\n", n);
      readFolder(n);
      if
      :: IS_EPOCH_NEWER(n) -> isUp[n] = true; acceptEpoch(n)
      :: IS_FENCE_WHOLE(n) ->
         isUp[n] = true;
         known[n] = row[n];
         stamp(n, true);
         written[n] = known[n];
         tidyStamps(n)
      :: else -> object(n); leaveFolder(n)
      fi;
      done()
     }
  :: d_step {
      CAN_FAIL && CAN_START(n) ->
      printf("node %d starts in vain\n", n);
      troubles++;
      readFolder(n);
      if
      :: IS_EPOCH_NEWER(n) -> rewriteOwnRow(n)
      :: IS_FENCE_WHOLE(n) -> known[n] = row[n]; stamp(n, false)
      :: else
      fi;
      leaveFolder(n);
      done()
     }

  /* It looks: answers a call, goes along with a new epoch, or finds that the store went back. */
  :: d_step {
      isUp[n] && !OWES(n) ->
      if :: confirmed[n] == BEFORE -> confirmed[n] = NONE :: else fi;
      if
#ifdef ANSWER_WITHOUT_LOOKING
      :: row[n] > 0 && answered[n] < roll -> answered[n] = roll; tidyCalls()
      :: row[n] > 0 && answered[n] >= roll && !IS_FENCE_WHOLE(n) && !IS_EPOCH_NEWER(n) -> object(n)
      :: row[n] > 0 && answered[n] >= roll && IS_FENCE_WHOLE(n) -> known[n] = row[n]; tidyStamps(n)
#else
      :: IS_FENCE_WHOLE(n) && answered[n] < roll ->
#ifdef STALE_ANSWER
         owed[n] = roll
#else
         answer(n, roll, true)
#endif
      :: IS_FENCE_WHOLE(n) && answered[n] >= roll -> known[n] = row[n]; tidyStamps(n)
      :: !IS_FENCE_WHOLE(n) && !IS_EPOCH_NEWER(n) -> object(n)
#endif
      :: else -> acceptEpoch(n)
      fi;
      done()
     }
#ifdef STALE_ANSWER
  :: d_step {
      isUp[n] && OWES(n) ->
      if
      :: IS_FENCE_WHOLE(n) -> answered[n] = owed[n]; owed[n] = 0; answer(n, answered[n], true)
      :: !IS_FENCE_WHOLE(n) && IS_EPOCH_NEWER(n) -> owed[n] = 0; acceptEpoch(n)
      :: else -> owed[n] = 0; object(n)
      fi;
      done()
     }
#endif
  :: d_step {
      CAN_FAIL && isUp[n] && !OWES(n) ->
      printf("node %d looks and loses its connection\n", n);
      troubles++;
      if
      :: IS_FENCE_WHOLE(n) && answered[n] < roll -> answer(n, roll, false)
      :: !IS_FENCE_WHOLE(n) && IS_EPOCH_NEWER(n) ->
         rewriteOwnRow(n);
#ifdef MEND_NOT_FINISHED
         nodeEpoch[n] = epoch;
         endRollCall(n, NONE)
#endif
      :: else
      fi;
      confirmed[n] = NONE;
      tidyStamps(n);
      done()
     }

  /* It marks. */
  :: d_step {
      doubt[n] && folderEpoch[n] >= epoch && !mark ->
      printf("node %d marks\n", n);
      mark = true
     }

  /* It calls the roll, if there is something to lease. */
  :: d_step {
      isUp[n] && confirmed[n] == NONE && phase[n] == IDLE && !DOUBTS(n) && next < NUMBERS && !OWES(n) ->
#ifdef NO_ROLL_CALL
      confirmed[n] = NOW
#else
      call[n] = roll; phase[n] = BEGINS
#endif
     }
  :: d_step {
      isUp[n] && (phase[n] == BEGINS || phase[n] == BEGAN_BEFORE) && !OWES(n) ->
      if
      :: IS_FENCE_WHOLE(n) ->
         makeCall(n, true);
         printf("node %d made call %d\n", n, call[n]);
         if
         :: phase[n] == BEGINS -> phase[n] = WAITS
         :: else -> endRollCall(n, NONE)
         fi
      :: epoch > nodeEpoch[n] -> endRollCall(n, NONE)
      :: else -> object(n)
      fi;
      done()
     }
  :: d_step {
      CAN_FAIL && isUp[n] && (phase[n] == BEGINS || phase[n] == BEGAN_BEFORE) && !OWES(n) &&
        IS_FENCE_WHOLE(n) ->
      printf("node %d calls and loses its connection\n", n);
      troubles++;
      makeCall(n, false);
      endRollCall(n, NONE);
      done()
     }
#define IS_MISSING(m) (row[m] > 0 && m != n && answered[m] < call[n])
  :: d_step {
      isUp[n] && phase[n] == WAITS && !OWES(n) && STRANGERS_SPOKE && (!ANY(IS_MISSING) || CAN_TIME_OUT) ->
      if
      :: !isNewTimeline ->
         printf("node %d is confirmed\n", n);
         endRollCall(n, NOW)
      :: isNewTimeline && !ANY(IS_MISSING) && IS_FENCE_WHOLE(n) ->
         isNewTimeline = false;
         known[n] = row[n];
         stamp(n, true);
         endRollCall(n, NOW)
      :: isNewTimeline && !ANY(IS_MISSING) && epoch > nodeEpoch[n] -> endRollCall(n, NONE)
      :: else -> object(n)
      fi;
      done()
     }

  /* It leases a number, unless it finds that the line forgot leases. */
#define CAN_LEASE(n) \
  (isUp[n] && confirmed[n] != NONE && next < NUMBERS && !FORGOT_LEASES(n) && IS_FENCE_WHOLE(n) && !OWES(n))
  :: d_step { CAN_LEASE(n) -> lease(n, true); done() }
  :: d_step { CAN_FAIL && CAN_LEASE(n) -> troubles++; lease(n, false); done() }

  /* It crashes. */
  :: d_step { CAN_FAIL && isUp[n] -> troubles++; stop(n); done() }
  od
}

/* The folder of a node, or its process, knows of writes that the store has no more. */
#define KNOWS(m, itsEpoch, last) (itsEpoch > epoch || (itsEpoch == epoch && last > row[m]))

proctype Store() provided (!IS_OVER) {
end:
  do
  /* A backup is taken. */
  :: d_step {
      backups < BACKS && backs < BACKS ->
      printf("a backup is taken\n");
      backups++;
      isSaved = true;
      savedEpoch = epoch; savedMark = mark; savedNewTimeline = isNewTimeline;
      savedRoll = roll; savedNext = next;
      m = 0;
      do
      :: m < NODES ->
         savedRow[m] = row[m]; savedAnswered[m] = answered[m];
         tidyStamps(m);
         m++
      :: else -> break
      od;
      tidyCalls();
      done()
     }

  /* It is put back: another term of the store begins, perhaps another timeline. */
  :: d_step {
      isSaved && backs < BACKS ->
      printf("the store goes back\n");
      backs++;
      epoch = savedEpoch; mark = savedMark;
      roll = savedRoll; next = savedNext;
#ifdef PROMOTED
      isNewTimeline = true;
#else
      isNewTimeline = savedNewTimeline;
#endif
      m = 0;
      do
      :: m < NODES ->
         row[m] = savedRow[m]; answered[m] = savedAnswered[m];
         if
         :: isUp[m] -> knowsBetter[m] = knowsBetter[m] || KNOWS(m, nodeEpoch[m], known[m])
         :: else -> knowsBetter[m] = knowsBetter[m] || KNOWS(m, folderEpoch[m], written[m])
         fi;
#ifndef CONFIRMED_FOR_GOOD
         if :: confirmed[m] == NOW -> confirmed[m] = BEFORE :: else fi;
#endif
#ifndef TERM_NOT_COMPARED
         if
         :: phase[m] == WAITS -> phase[m] = IDLE; call[m] = 0
         :: phase[m] == BEGINS -> phase[m] = BEGAN_BEFORE
         :: else
         fi;
#endif
         if
         :: backs == BACKS -> savedRow[m] = 0; savedAnswered[m] = 0
         :: else
         fi;
         tidyStamps(m);
         m++
      :: else -> break
      od;
      if
      :: backs == BACKS ->
         isSaved = false; savedEpoch = 0; savedMark = false; savedNewTimeline = false;
         savedRoll = 0; savedNext = 0
      :: else
      fi;
      tidyCalls();
      done()
     }

  /* The operator advances, by a margin that covers what was leased in what the store forgot. */
  :: d_step {
      advances < ADVANCES && backs > 0 ->
      printf("the operator advances\n");
      advances++;
#ifndef NO_MARGIN
      next = top;
#endif
      lastEpoch++; epoch = lastEpoch;
      mark = false; isNewTimeline = false;
      m = 0;
      do
      :: m < NODES -> knowsBetter[m] = false; m++
      :: else -> break
      od;
      done()
     }
  od
}

init {
  atomic {
    run Node(0);
    run Node(1);
#if NODES == 3
    run Node(2);
#endif
    run Store()
  }
}
