//! The slots of a listener: how many connections there may be, and which one gives way when all slots are taken.
//!
//! Whoever reaches a port can open connections and leave them silent, without credentials. A newcomer therefore never
//! waits for a connection that does nothing: when all slots are taken, an idle one is closed at once, chosen so that those
//! who hold slots lose them to those who use them.

mod port;
mod seat;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use port::{PortCounters, Ports};
pub(crate) use seat::ConnectionState;

use port::Eviction;
use seat::Seat;

/// How many connections a listener holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotLimits {
    /// Open connections.
    pub(crate) connections: usize,
    /// Of those, how many one address can hold safely that have not carried a valid review yet.
    pub(crate) share: usize,
    /// How long a connection is new: within it, the connection gives way last.
    pub(crate) grace: Duration,
}

/// The connections of one listener.
#[derive(Debug)]
pub(crate) struct Slots {
    limits: SlotLimits,
    start: Instant,
    seats: Mutex<Vec<Arc<Seat>>>,
    changed: Notify,
    port: Arc<PortCounters>,
}

impl Slots {
    pub(crate) fn new(limits: SlotLimits, port: Arc<PortCounters>) -> Arc<Self> {
        port.limited(limits.connections);
        Arc::new(Slots { limits, start: Instant::now(), seats: Mutex::default(), changed: Notify::new(), port })
    }

    /// Waits until a newcomer can get a slot. While every connection waits for an answer of ours, which takes a bounded
    /// time, clients wait in the kernel's queue and cost nothing.
    pub(crate) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let seats = self.lock();
                if seats.len() < self.limits.connections
                    || seats.iter().any(|seat| seat.state() != ConnectionState::Answering)
                {
                    return;
                }
            }
            changed.await;
        }
    }

    /// The counters of the listener.
    pub(crate) fn port(&self) -> &PortCounters {
        &self.port
    }

    /// Takes a slot for a newcomer from `source`; another connection may have to give way for it.
    pub(crate) fn admit(self: &Arc<Self>, source: IpAddr) -> Slot {
        let (source, now) = (source.to_canonical(), self.now());
        let mut seats = self.lock();
        self.port.accepted();
        let is_full = seats.len() >= self.limits.connections;
        if is_full {
            self.port.saturated();
        }
        if let Some((seat, why)) = self.gives_way(&seats, source, now, is_full) {
            seats.retain(|other| !Arc::ptr_eq(other, &seat));
            seat.evict();
            self.port.evicted(why);
        }
        let seat = Arc::new(Seat::new(source, now));
        seats.push(Arc::clone(&seat));
        self.port.entered(ConnectionState::Handshake);
        Slot { seat, slots: Arc::clone(self) }
    }

    /// The connection that gives way to a newcomer from `source`, and why.
    fn gives_way(&self, seats: &[Arc<Seat>], source: IpAddr, now: u64, is_full: bool) -> Option<(Arc<Seat>, Eviction)> {
        let SlotLimits { share, .. } = self.limits;
        let of = |source: IpAddr| seats.iter().filter(move |seat| seat.source == source);
        // Beyond its share an address takes the place of its own connections, so that others find room. Its new ones
        // stay: an API server may open many at once.
        if of(source).filter(|seat| !seat.is_proven()).count() >= share {
            let own = of(source).filter(|seat| seat.state().is_idle() && !seat.is_proven() && !self.is_new(seat, now));
            if let Some(seat) = own.min_by_key(|seat| seat.since()) {
                return Some((Arc::clone(seat), Eviction::Share));
            }
        }
        if !is_full {
            return None;
        }
        let mut held: HashMap<IpAddr, Held> = HashMap::new();
        for seat in seats {
            let held = held.entry(seat.source).or_default();
            held.all += 1;
            held.unproven += usize::from(!seat.is_proven());
        }
        // First those that had their time and came to nothing, or are part of a crowd; then those that carried reviews,
        // for an API server opens another when it needs one; last those that are just connecting, for an API server's may
        // be among them. Of those, the address with the most connections loses the one that is idle for longest.
        let rank = |seat: &Seat| {
            let held = held.get(&seat.source).copied().unwrap_or_default();
            let turn = match (seat.is_proven(), self.is_new(seat, now) && held.unproven <= share) {
                (false, false) => 0,
                (true, _) => 1,
                (false, true) => 2,
            };
            (turn, Reverse(held.all), seat.since())
        };
        if let Some(seat) = seats.iter().filter(|seat| seat.state().is_idle()).min_by_key(|seat| rank(seat)) {
            return Some((Arc::clone(seat), Eviction::Idle));
        }
        // An API server sends a body in one go; the one that has been sending for longest is hardly its.
        let receiving = seats.iter().filter(|seat| seat.state() == ConnectionState::Receiving);
        receiving.min_by_key(|seat| seat.since()).map(|seat| (Arc::clone(seat), Eviction::Slow))
    }

    fn is_new(&self, seat: &Seat, now: u64) -> bool {
        now.saturating_sub(seat.accepted) <= micros(self.limits.grace)
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    /// A poisoned lock means that a thread panicked beside the list, which is whole after every statement.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Default)]
struct Held {
    all: usize,
    unproven: usize,
}

/// A connection's slot, which it gives back when it ends.
#[derive(Debug)]
pub(crate) struct Slot {
    seat: Arc<Seat>,
    slots: Arc<Slots>,
}

impl Slot {
    /// Notes what the connection does now.
    pub(crate) fn enter(&self, state: ConnectionState) {
        let before = self.seat.enter(state, self.slots.now());
        self.slots.port.left(before);
        self.slots.port.entered(state);
        self.slots.changed.notify_one();
    }

    /// Notes that it carried a valid review.
    pub(crate) fn prove(&self) {
        self.seat.prove();
    }

    /// Waits until it has to give way.
    pub(crate) async fn evicted(&self) {
        self.seat.evicted().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        self.slots.port.left(self.seat.state());
        self.slots.changed.notify_one();
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::advance;

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    fn slots(connections: usize, share: usize) -> Arc<Slots> {
        Slots::new(SlotLimits { connections, share, grace: GRACE }, Arc::new(PortCounters::default()))
    }

    fn from(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    /// Which of `slots` were told to end since the last look.
    async fn evicted(slots: &[Slot]) -> Vec<usize> {
        let mut found = Vec::new();
        for (place, slot) in slots.iter().enumerate() {
            tokio::select! {
                biased;
                () = slot.evicted() => found.push(place),
                () = std::future::ready(()) => {}
            }
        }
        found
    }

    /// A connection that had its review answered.
    fn reviewed(slot: Slot) -> Slot {
        for state in
            [ConnectionState::Idle, ConnectionState::Receiving, ConnectionState::Answering, ConnectionState::Idle]
        {
            slot.enter(state);
        }
        slot.prove();
        slot
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_gives_way_and_never_one_in_a_request_while_another_is_idle() {
        let slots = slots(3, 8);
        let mut open = Vec::new();
        for source in 1..=3 {
            open.push(slots.admit(from(source)));
            advance(GRACE * 2).await;
        }
        open[0].enter(ConnectionState::Receiving);
        open.push(slots.admit(from(4)));
        assert_eq!(evicted(&open).await, [1]);
        open[2].enter(ConnectionState::Idle);
        open[2].enter(ConnectionState::Answering);
        open[3].enter(ConnectionState::Receiving);
        // Nobody is idle: the longest sender goes, and whoever waits for our answer stays.
        open.push(slots.admit(from(5)));
        assert_eq!(evicted(&open).await, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_carried_reviews_outlives_silent_ones_and_loses_to_those_just_connecting() {
        let slots = slots(3, 8);
        let mut open = vec![reviewed(slots.admit(from(1)))];
        advance(GRACE * 2).await;
        open.push(slots.admit(from(2)));
        advance(GRACE * 2).await;
        open.push(slots.admit(from(3)));
        open.push(slots.admit(from(4)));
        assert_eq!(evicted(&open).await, [1]);
        open.push(slots.admit(from(5)));
        assert_eq!(evicted(&open).await, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_from_one_address_gives_way_before_anybody_else() {
        let slots = slots(8, 4);
        let mut open = vec![reviewed(slots.admit(from(1)))];
        advance(GRACE * 2).await;
        open.push(slots.admit(from(2)));
        advance(GRACE / 4).await;
        // Six at once find room, which an API server may need; then all slots are taken.
        open.extend((0..6).map(|_| slots.admit(from(3))));
        assert_eq!(evicted(&open).await, Vec::<usize>::new());
        for place in [2, 3] {
            open.push(slots.admit(from(4)));
            assert_eq!(evicted(&open).await, [place]);
        }
        // Four of them are no crowd any more.
        open.push(slots.admit(from(4)));
        assert_eq!(evicted(&open).await, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_its_share_an_address_takes_the_place_of_its_own_silent_ones_even_where_there_is_room() {
        let slots = slots(100, 4);
        let mut open: Vec<Slot> = (0..4).map(|_| slots.admit(from(1))).collect();
        // Those that carried reviews don't count: several API servers can share an address.
        open.extend((0..20).map(|_| reviewed(slots.admit(from(1)))));
        advance(GRACE * 2).await;
        open.push(slots.admit("::ffff:10.0.0.1".parse().unwrap()));
        assert_eq!(evicted(&open).await, [0]);
        open.push(slots.admit(from(2)));
        assert_eq!(evicted(&open).await, Vec::<usize>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_with_the_most_connections_loses_one_first() {
        let slots = slots(4, 8);
        let mut open = vec![reviewed(slots.admit(from(1)))];
        advance(GRACE).await;
        open.extend((0..3).map(|_| reviewed(slots.admit(from(2)))));
        open.push(slots.admit(from(3)));
        assert_eq!(evicted(&open).await, [1]);
    }

    #[tokio::test]
    async fn there_is_room_unless_everybody_waits_for_an_answer() {
        let slots = slots(1, 8);
        slots.room().await;
        let slot = slots.admit(from(1));
        slots.room().await;
        slot.enter(ConnectionState::Answering);
        let room = slots.room();
        tokio::pin!(room);
        tokio::select! {
            biased;
            () = &mut room => panic!("room without a slot that could be freed"),
            () = tokio::task::yield_now() => {}
        }
        slot.enter(ConnectionState::Idle);
        room.await;
    }

    #[test]
    fn a_slot_comes_back_and_its_state_is_counted_as_long_as_it_lasts() {
        let slots = slots(2, 8);
        let slot = slots.admit(from(1));
        assert_eq!(slots.port.open(ConnectionState::Handshake), 1);
        slot.enter(ConnectionState::Receiving);
        assert_eq!((slots.port.open(ConnectionState::Handshake), slots.port.open(ConnectionState::Receiving)), (0, 1));
        drop(slot);
        assert!(ConnectionState::ALL.iter().all(|state| slots.port.open(*state) == 0));
        assert!(slots.lock().is_empty());
    }
}
