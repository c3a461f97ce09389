//! What a split costs: an everyday packet and a stadium's, every kind, with and without a cap.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use split::{Kind, Seed, split};

/// Twice the mean: tight enough that every lucky kind meets it.
const CAP_FEN: i64 = 400;

fn splits(criterion: &mut Criterion) {
    let seed = Seed::from_bytes([7; 32]);
    for share_count in [100, 100_000] {
        let mut group = criterion.benchmark_group(format!("{share_count} shares"));
        group.throughput(Throughput::Elements(u64::from(share_count)));
        for kind in Kind::ALL {
            for (cap, cap_fen) in [("no cap", None), ("capped", Some(CAP_FEN))] {
                group.bench_function(BenchmarkId::new(kind.name(), cap), |bencher| {
                    let total_fen = 200 * i64::from(share_count);
                    bencher.iter(|| split(kind, black_box(&seed), total_fen, share_count, cap_fen));
                });
            }
        }
    }
}

criterion_group!(benches, splits);
criterion_main!(benches);
