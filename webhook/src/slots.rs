//! The slots of a listener: how many connections it holds, and which one is evicted when all slots are taken.
//!
//! A client that reaches a port can open connections and leave them silent, without credentials. A new connection
//! therefore never waits for one that does nothing: when all slots are taken, an idle connection is closed at once,
//! chosen so that clients that only hold slots lose them to clients that use them.

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

/// Limits on the connections of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotLimits {
    /// Open connections.
    pub(crate) connections: usize,
    /// Connections of one address that have not carried a valid review yet and are still safe.
    pub(crate) share: usize,
    /// How long a connection is new. A new connection is evicted last.
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

    /// Waits until a new connection can get a slot. While every connection waits for an answer of ours, which takes a
    /// bounded time, clients wait in the kernel's queue and cost nothing.
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

    /// Takes a slot for a new connection from `source`, for which another one may be evicted.
    pub(crate) fn admit(self: &Arc<Self>, source: IpAddr) -> Slot {
        let (source, now) = (source.to_canonical(), self.now());
        let mut seats = self.lock();
        self.port.accepted();
        let is_full = seats.len() >= self.limits.connections;
        if is_full {
            self.port.saturated();
        }
        if let Some((seat, why)) = self.to_evict(&seats, source, now, is_full) {
            seats.retain(|other| !Arc::ptr_eq(other, &seat));
            seat.evict();
            self.port.evicted(why);
        }
        let seat = Arc::new(Seat::new(source, now));
        seats.push(Arc::clone(&seat));
        self.port.entered(ConnectionState::Handshake);
        Slot { seat, slots: Arc::clone(self) }
    }

    /// The connection to evict for a new one from `source`, and why; `None` when none has to go.
    fn to_evict(&self, seats: &[Arc<Seat>], source: IpAddr, now: u64, is_full: bool) -> Option<(Arc<Seat>, Eviction)> {
        let SlotLimits { share, .. } = self.limits;
        let of = |source: IpAddr| seats.iter().filter(move |seat| seat.source == source);
        // An address beyond its share takes the place of its own connections, so that others find room. Its new ones
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
        // First go connections that had their time and carried no review, or belong to a crowd. Then those that carried
        // reviews: an API server opens another when it needs one. Last those that are just connecting: an API server's
        // may be among them. Within each group, the address with the most connections loses the one that is idle for
        // longest.
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
        // An API server sends a body in one go, so the connection that has been sending for longest is hardly its.
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

/// The slot of a connection. Dropping it gives the slot back.
#[derive(Debug)]
pub(crate) struct Slot {
    seat: Arc<Seat>,
    slots: Arc<Slots>,
}

impl Slot {
    /// Notes what the connection is doing from now on.
    pub(crate) fn enter(&self, state: ConnectionState) {
        let before = self.seat.enter(state, self.slots.now());
        self.slots.port.left(before);
        self.slots.port.entered(state);
        self.slots.changed.notify_one();
    }

    /// Notes that the connection carried a valid review.
    pub(crate) fn prove(&self) {
        self.seat.prove();
    }

    /// Waits until the connection is evicted.
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

    /// The positions of the slots that were evicted since the last call.
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

    /// A slot whose connection had a review answered.
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
        // No connection is idle: the longest sender goes, and those that wait for our answer stay.
        open.push(slots.admit(from(5)));
        assert_eq!(evicted(&open).await, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_carried_reviews_outlives_silent_ones_and_goes_before_new_ones() {
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
    async fn an_address_beyond_its_share_replaces_its_own_silent_connections_even_where_there_is_room() {
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
