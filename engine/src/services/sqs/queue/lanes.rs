//! Whose turn it is. Messages of one group queue up in a lane; the lanes that may be received from are indexed by
//! their first message, so that finding the next one costs the same whatever waits behind it.
//!
//! Lanes come in the order in which their first messages became available. On a FIFO queue a message in flight blocks those
//! behind it in its lane. On a standard queue nothing blocks, but lanes that hold more than their share of what is in flight
//! are passed over while quieter ones wait (fair queues).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::super::limits;
use super::entry::{Entry, UNGROUPED};
use super::line::Line;
use crate::identity_hash::IdentityHash;
use crate::time::Moment;

/// What orders messages: a moment, then the message's number.
type Place = (Moment, u64);

/// The waiting messages of one group.
#[derive(Debug, Default)]
struct Lane {
    /// Never received in this queue, in order of arrival and of SentTimestamp.
    fresh: Line<Entry>,
    /// Ready, but held: they were delayed, came back or came late. With each, what its lane ranks by when it is first. On a FIFO
    /// queue only numbers order them, for they keep their place.
    returned: BTreeMap<Place, Moment>,
    in_flight: u32,
    /// The numbers of those in flight. FIFO queues only.
    leased: BTreeSet<u64>,
    /// Nothing is to be received from it for now.
    is_stopped: bool,
    /// What the indexes hold of this lane.
    head: Option<Place>,
    front: Option<Place>,
}

/// All lanes of a queue.
#[derive(Debug)]
pub(super) struct Lanes {
    fifo: bool,
    lanes: HashMap<u64, Lane, IdentityHash>,
    /// The lanes that can be received from, by the place of their first message.
    heads: BTreeSet<(Place, u64)>,
    /// The first fresh message of each lane, by SentTimestamp: what expires next.
    fronts: BTreeSet<(Place, u64)>,
    /// Lanes with so many in flight that they may be noisy, by that number. Standard queues only.
    crowded: BTreeSet<(u32, u64)>,
    /// Lanes that were stopped; some may be gone.
    stopped: Vec<u64>,
}

impl Lanes {
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            fifo,
            lanes: HashMap::default(),
            heads: BTreeSet::new(),
            fronts: BTreeSet::new(),
            crowded: BTreeSet::new(),
            stopped: Vec::new(),
        }
    }

    /// Whether `entry` may join its lane's fresh messages: only in order of SentTimestamp, so that retention needs to look
    /// at the first alone.
    pub(super) fn accepts(&self, entry: &Entry) -> bool {
        let last = self.lanes.get(&entry.group).and_then(|lane| lane.fresh.back());
        last.is_none_or(|last| last.sent <= entry.sent && last.seq < entry.seq)
    }

    /// Queues up a message that is not held.
    pub(super) fn push(&mut self, entry: Entry) {
        let group = entry.group;
        let lane = self.lane(group);
        lane.fresh.push_back(entry);
        if lane.fresh.len() == 1 {
            self.index(group);
        }
    }

    /// Queues up a held message that is ready and ranks by `rank`.
    pub(super) fn give_back(&mut self, group: u64, seq: u64, rank: Moment) {
        let place = self.place(rank, seq);
        self.lane(group).returned.insert(place, rank);
        self.index(group);
    }

    /// Takes a held message off its lane that ranked by `rank`.
    pub(super) fn withdraw(&mut self, group: u64, seq: u64, rank: Moment) {
        let place = self.place(rank, seq);
        if let Some(lane) = self.lanes.get_mut(&group) {
            lane.returned.remove(&place);
            self.index(group);
        }
    }

    /// Takes the first fresh message of a lane if it is `seq`.
    pub(super) fn pop(&mut self, group: u64, seq: u64) -> Option<Entry> {
        let lane = self.lanes.get_mut(&group)?;
        lane.fresh.front().filter(|front| front.seq == seq)?;
        let entry = lane.fresh.pop_front();
        self.index(group);
        entry
    }

    /// A fresh message of a lane, wherever it stands.
    pub(super) fn find(&mut self, group: u64, seq: u64) -> Option<&mut Entry> {
        self.lanes.get_mut(&group)?.fresh.find_mut(seq)
    }

    /// Counts a message in flight.
    pub(super) fn depart(&mut self, group: u64, seq: u64) {
        let fifo = self.fifo;
        let lane = self.lane(group);
        lane.in_flight += 1;
        let count = lane.in_flight;
        if fifo {
            lane.leased.insert(seq);
            self.index(group);
        } else {
            self.crowd(group, count - 1, count);
        }
    }

    /// Counts a message no longer in flight.
    pub(super) fn arrive(&mut self, group: u64, seq: u64) {
        let fifo = self.fifo;
        let Some(lane) = self.lanes.get_mut(&group) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        let count = lane.in_flight;
        if fifo {
            lane.leased.remove(&seq);
        } else {
            self.crowd(group, count + 1, count);
        }
        self.index(group);
    }

    /// Lets nothing be received from a lane until [`Self::go_on`]. Says whether it did.
    pub(super) fn stop(&mut self, group: u64) -> bool {
        let has_room = self.stopped.len() < limits::STOPPED_GROUPS;
        let Some(lane) = self.lanes.get_mut(&group).filter(|_| has_room) else { return false };
        lane.is_stopped = true;
        self.stopped.push(group);
        self.index(group);
        true
    }

    /// Ends what [`Self::stop`] began, on all lanes.
    pub(super) fn go_on(&mut self) {
        for group in core::mem::take(&mut self.stopped) {
            if let Some(lane) = self.lanes.get_mut(&group) {
                lane.is_stopped = false;
            }
            self.index(group);
        }
    }

    /// The next message to hand out, `in_flight` messages being out in all: its group and number.
    pub(super) fn next(&self, in_flight: u64) -> Option<(u64, u64)> {
        // At most nine lanes hold more than a tenth, so this looks at ten heads at the most.
        let quiet = self.heads.iter().find(|(_, group)| !self.is_noisy(*group, in_flight));
        if let Some(((_, seq), group)) = quiet {
            return Some((*group, *seq));
        }
        // All that is left is noisy: the least noisy goes first.
        let mut noisy = self.crowded.iter().filter_map(|(_, group)| {
            let ((_, seq), group) = (self.lanes.get(group)?.head?, *group);
            Some((group, seq))
        });
        noisy.next()
    }

    /// The first message that waits in a lane, blocked or not.
    pub(super) fn next_of(&self, group: u64) -> Option<u64> {
        self.lanes.get(&group)?.first().map(|(_, seq)| seq)
    }

    /// The first fresh message of a lane.
    pub(super) fn front(&self, group: u64) -> Option<&Entry> {
        self.lanes.get(&group)?.fresh.front()
    }

    /// The first message of a FIFO lane that is in flight: what comes behind it is blocked.
    pub(super) fn barrier(&self, group: u64) -> u64 {
        self.lanes.get(&group).and_then(|lane| lane.leased.first().copied()).unwrap_or(u64::MAX)
    }

    /// The groups that hold more than their share of what is in flight, the noisiest first.
    pub(super) fn noisy(&self, in_flight: u64) -> impl Iterator<Item = u64> {
        let crowded = self.crowded.iter().rev();
        crowded
            .take_while(move |(held, _)| u64::from(*held) * limits::NOISY_SHARE > in_flight)
            .map(|(_, group)| *group)
    }

    fn is_noisy(&self, group: u64, in_flight: u64) -> bool {
        !self.crowded.is_empty() && self.noisy(in_flight).any(|noisy| noisy == group)
    }

    /// Ready messages of one group, and those in flight.
    pub(super) fn of_group(&self, group: u64) -> (u64, u64) {
        self.lanes.get(&group).map_or((0, 0), |lane| {
            ((lane.fresh.len() + lane.returned.len()) as u64, u64::from(lane.in_flight))
        })
    }

    /// How many groups have a message in flight. Looks at every lane: for metrics.
    pub(super) fn groups_in_flight(&self) -> u64 {
        self.lanes.iter().filter(|(group, lane)| **group != UNGROUPED && lane.in_flight > 0).count() as u64
    }

    /// The fresh message sent first: SentTimestamp, number and group.
    pub(super) fn oldest(&self) -> Option<(Moment, u64, u64)> {
        self.fronts.first().map(|((sent, seq), group)| (*sent, *seq, *group))
    }

    /// When the first fresh message of a quiet group was sent.
    pub(super) fn oldest_quiet(&self, in_flight: u64) -> Option<Moment> {
        let quiet = self.fronts.iter().find(|(_, group)| !self.is_noisy(*group, in_flight));
        quiet.map(|((sent, _), _)| *sent)
    }

    /// Every fresh message, lane by lane.
    pub(super) fn fresh(&self) -> impl Iterator<Item = &Entry> {
        let mut lanes: Vec<_> = self.lanes.iter().collect();
        lanes.sort_unstable_by_key(|(group, _)| **group);
        lanes.into_iter().flat_map(|(_, lane)| lane.fresh.iter())
    }

    fn lane(&mut self, group: u64) -> &mut Lane {
        self.lanes.entry(group).or_default()
    }

    fn place(&self, rank: Moment, seq: u64) -> Place {
        if self.fifo { (Moment(0), seq) } else { (rank, seq) }
    }

    fn crowd(&mut self, group: u64, before: u32, after: u32) {
        if group == UNGROUPED {
            return;
        }
        self.crowded.remove(&(before, group));
        if u64::from(after) >= limits::NOISY_IN_FLIGHT {
            self.crowded.insert((after, group));
        }
    }

    /// Brings the indexes up to date after a lane changed, and forgets a lane with nothing in it.
    fn index(&mut self, group: u64) {
        let Some(lane) = self.lanes.get_mut(&group) else { return };
        let head = lane.head();
        if head != lane.head {
            if let Some(old) = lane.head {
                self.heads.remove(&(old, group));
            }
            if let Some(new) = head {
                self.heads.insert((new, group));
            }
            lane.head = head;
        }
        let front = lane.fresh.front().map(|entry| (entry.sent, entry.seq));
        if front != lane.front {
            if let Some(old) = lane.front {
                self.fronts.remove(&(old, group));
            }
            if let Some(new) = front {
                self.fronts.insert((new, group));
            }
            lane.front = front;
        }
        let is_unused = lane.fresh.is_empty() && lane.returned.is_empty() && lane.in_flight == 0;
        if is_unused && group != UNGROUPED {
            self.lanes.remove(&group);
        }
    }
}

impl Lane {
    /// The first message that waits: what it ranks by, and its number. In a FIFO lane whatever was returned was taken from in
    /// front of what is fresh.
    fn first(&self) -> Option<Place> {
        let fresh = self.fresh.front().map(|entry| (entry.sent, entry.seq));
        let returned = self.returned.first_key_value();
        match (fresh, returned) {
            (Some(fresh), Some((place, _))) if fresh < *place => Some(fresh),
            (_, Some(((_, seq), rank))) => Some((*rank, *seq)),
            (fresh, None) => fresh,
        }
    }

    /// What the index of heads shall hold.
    fn head(&self) -> Option<Place> {
        let first = self.first()?;
        let blocked = self.leased.first().is_some_and(|leased| *leased < first.1);
        (!blocked && !self.is_stopped).then_some(first)
    }
}
