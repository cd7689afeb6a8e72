//! Rounds in which two servers take turns.

use aksarc_tests::figures::median;
use hyper::body::Bytes;

use super::client::Clients;

/// The medians of the rounds: the CPU of each server in microseconds for each review, and the second's as a multiple of the
/// first's.
pub(crate) struct Turns {
    pub(crate) first: f64,
    pub(crate) second: f64,
    pub(crate) ratio: f64,
}

/// Sends `reviews` to one server and then to the other, in so many rounds.
pub(crate) async fn turns(
    first: &mut Clients<'_>,
    second: &mut Clients<'_>,
    body: &Bytes,
    reviews: usize,
    rounds: usize,
) -> anyhow::Result<Turns> {
    let mut pairs = Vec::new();
    for round in 0..rounds + WARM_UP {
        let pair = (first.cost(body, reviews).await?, second.cost(body, reviews).await?);
        // The first rounds warm caches and allocators of both.
        if round >= WARM_UP {
            pairs.push(pair);
        }
    }
    let of = |figure: fn(&(f64, f64)) -> f64| median(pairs.iter().map(figure).collect());
    Ok(Turns { first: of(|pair| pair.0), second: of(|pair| pair.1), ratio: of(|pair| pair.1 / pair.0) })
}

const WARM_UP: usize = 2;
