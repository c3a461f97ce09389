//! The ways to divide a packet.

/// How a packet is divided. The default is [`Kind::DoubleMean`].
///
/// "Deviation" is the relative standard deviation of one share, for many shares and no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 二倍均值: each draw is uniform between nothing and twice the mean of what is left. Lively and
    /// rarely cruel: deviation 0.59, the luckiest of 100 gets 2.3 times the mean.
    #[default]
    DoubleMean,
    /// A normal distribution around the mean `μ` with `σ = μ/2`, cut off at 0 and at `2μ`. Gentle:
    /// deviation 0.43.
    Gaussian,
    /// Every way to cut the total into whole-fen shares is equally likely. Harsh: deviation 1, the
    /// luckiest of 100 gets 5.2 times the mean.
    LineCut,
    /// Everyone gets the same; a remainder goes out one fen each, to shares picked at random.
    Equal,
}

impl Kind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::DoubleMean, Self::Gaussian, Self::LineCut, Self::Equal];

    /// The byte that stands for this kind in a commitment. Zero is never used.
    pub const fn code(self) -> u8 {
        match self {
            Self::DoubleMean => 1,
            Self::Gaussian => 2,
            Self::LineCut => 3,
            Self::Equal => 4,
        }
    }

    /// The name of this kind in files and on the command line, such as `double_mean`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoubleMean => "double_mean",
            Self::Gaussian => "gaussian",
            Self::LineCut => "line_cut",
            Self::Equal => "equal",
        }
    }

    /// The kind of this [`name`](Self::name), if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
