//! One at a time, for all who ask.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use id::PacketId;
use tokio::sync::OnceCell;

/// Work under way, by packet. Who comes while it is shares its outcome, failures among them: a thousand who wait for a
/// server that hangs wait once.
pub struct Flights<T>(Mutex<HashMap<PacketId, Arc<OnceCell<T>>>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// The outcome of the work that is under way for this packet, or else of `work`. If who does it stops, another of
    /// those who wait begins anew.
    pub async fn join(&self, packet_id: PacketId, work: impl Future<Output = T>) -> T {
        let aboard = Aboard {
            flights: self,
            packet_id,
            flight: self.with(|flights| flights.entry(packet_id).or_default().clone()),
        };
        aboard.flight.get_or_init(|| work).await.clone()
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<PacketId, Arc<OnceCell<T>>>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody on a flight. A flight that has landed takes nobody else; one that all have left is forgotten.
struct Aboard<'a, T: Clone> {
    flights: &'a Flights<T>,
    packet_id: PacketId,
    flight: Arc<OnceCell<T>>,
}

impl<T: Clone> Drop for Aboard<'_, T> {
    fn drop(&mut self) {
        self.flights.with(|flights| {
            let ours = flights
                .get(&self.packet_id)
                .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
            // The map's and this one.
            let alone = Arc::strong_count(&self.flight) == 2;
            if ours && (alone || self.flight.initialized()) {
                flights.remove(&self.packet_id);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::{join_all, pending};

    use super::*;

    #[tokio::test]
    async fn many_share_one_flight_and_the_next_is_another() {
        let (flights, begun) = (Flights::default(), AtomicUsize::new(0));
        let packet_id = PacketId::new(1, &[1; 10]);
        let work = || async {
            tokio::task::yield_now().await;
            begun.fetch_add(1, Ordering::Relaxed)
        };
        for round in 0..2 {
            let outcomes = join_all((0..10).map(|_| flights.join(packet_id, work()))).await;
            assert_eq!(outcomes, [round; 10]);
        }
        assert!(flights.with(|flights| flights.is_empty()));
    }

    #[tokio::test]
    async fn who_stops_leaves_the_work_to_another() {
        let flights = Flights::default();
        let packet_id = PacketId::new(1, &[1; 10]);
        let mut first = Box::pin(flights.join(packet_id, pending()));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.join(packet_id, async { 7 }));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await, 7);
        let mut last = Box::pin(flights.join(packet_id, pending()));
        assert!(futures::poll!(&mut last).is_pending());
        drop(last);
        assert!(flights.with(|flights| flights.is_empty()));
    }
}
