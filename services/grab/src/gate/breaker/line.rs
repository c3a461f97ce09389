//! One partition's line to Redis.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use id::PacketId;

use crate::gate::{News, redis::last_seq};

/// Failures in a row after which a line is cut, whatever a probe says: a server that answers probes and nothing else is
/// of no use either.
const MAX_FAILURES: u32 = 8;

/// Whether Redis serves a partition, and what it must hear before it does again.
#[derive(Debug, Default)]
pub struct Line {
    cut: AtomicBool,
    failures: AtomicU32,
    missed: Mutex<Missed>,
}

/// The packets whose news Redis did not hear, and the last claim among these news.
#[derive(Debug, Default)]
pub struct Missed {
    pub packets: BTreeSet<PacketId>,
    /// There were more than could be remembered.
    pub too_many: bool,
    pub seq: i64,
}

impl Missed {
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty() && !self.too_many
    }

    fn add(&mut self, packets: impl IntoIterator<Item = PacketId>, max: usize) {
        for packet_id in packets {
            if self.packets.len() < max || self.packets.contains(&packet_id) {
                self.packets.insert(packet_id);
            } else {
                self.too_many = true;
            }
        }
        if self.too_many {
            self.packets = BTreeSet::new();
        }
    }
}

impl Line {
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Redis does not serve this partition.
    pub fn cut(&self) {
        // Under the lock, so that it never falls between a look at what was missed and a mend.
        let _missed = self.missed();
        self.cut.store(true, Ordering::Release);
    }

    /// A call worked.
    pub fn worked(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A call failed.
    pub fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_FAILURES {
            self.cut();
        }
    }

    /// Notes news that Redis did not hear; remembers `max` packets.
    pub fn miss(&self, news: &[News], max: usize) {
        Self::note(&mut self.missed(), news, max);
    }

    /// The same if the line is cut; otherwise `false`, and the news should be told.
    pub fn miss_if_cut(&self, news: &[News], max: usize) -> bool {
        let mut missed = self.missed();
        let cut = self.is_cut();
        if cut {
            Self::note(&mut missed, news, max);
        }
        cut
    }

    fn note(missed: &mut Missed, news: &[News], max: usize) {
        missed.add(news.iter().map(News::packet_id), max);
        missed.seq = missed.seq.max(last_seq(news));
    }

    /// Whether there is nothing to be done about this line.
    pub fn is_well(&self) -> bool {
        !self.is_cut() && self.missed().is_empty()
    }

    /// What was missed, to be made good now; if that is nothing, the line is mended.
    pub fn take_missed_or_mend(&self) -> Option<Missed> {
        let mut missed = self.missed();
        if missed.is_empty() {
            self.failures.store(0, Ordering::Relaxed);
            self.cut.store(false, Ordering::Release);
            return None;
        }
        Some(std::mem::take(&mut *missed))
    }

    /// It could not be made good after all.
    pub fn give_back(&self, unheard: Missed, max: usize) {
        let mut missed = self.missed();
        missed.too_many |= unheard.too_many;
        missed.seq = missed.seq.max(unheard.seq);
        missed.add(unheard.packets, max);
    }

    fn missed(&self) -> MutexGuard<'_, Missed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u8) -> PacketId {
        PacketId::new(1, &[number; 10])
    }

    #[test]
    fn it_is_mended_only_when_nothing_is_missed_any_more() {
        let line = Line::default();
        assert!(!line.miss_if_cut(&[News::Closed(packet(1))], 10));
        assert!(line.is_well());
        line.cut();
        assert!(line.miss_if_cut(&[News::Closed(packet(1))], 10));
        let missed = line.take_missed_or_mend().unwrap();
        assert!(line.is_cut() && missed.packets.len() == 1);
        line.miss(&[News::Astray(packet(2))], 10); // meanwhile
        line.give_back(missed, 10);
        assert_eq!(line.take_missed_or_mend().unwrap().packets.len(), 2);
        assert!(line.take_missed_or_mend().is_none());
        assert!(line.is_well());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let line = Line::default();
        line.miss(&[1, 2, 2, 1].map(|n| News::Closed(packet(n))), 2);
        assert!(!line.take_missed_or_mend().unwrap().too_many);
        line.miss(&[1, 2, 3, 4].map(|n| News::Closed(packet(n))), 2);
        let missed = line.take_missed_or_mend().unwrap();
        assert!(missed.too_many && missed.packets.is_empty());
        line.give_back(missed, 2);
        line.miss(&[News::Closed(packet(1))], 2);
        assert!(line.take_missed_or_mend().unwrap().too_many);
    }

    #[test]
    fn failures_in_a_row_cut_it() {
        let line = Line::default();
        for n in 1..=MAX_FAILURES * 2 {
            line.failed();
            if n % (MAX_FAILURES - 1) == 0 {
                line.worked();
            }
        }
        assert!(!line.is_cut());
        (0..MAX_FAILURES).for_each(|_| line.failed());
        assert!(line.is_cut());
    }
}
