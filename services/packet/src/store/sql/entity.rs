//! The tables as sea-orm sees them. Instants are microseconds since the epoch.

/// One row a packet.
pub mod packets {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "packets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub packet_id: Uuid,
        pub sender_id: String,
        /// `split::Kind::code`.
        pub kind: i16,
        pub total_fen: i64,
        pub share_count: i32,
        pub share_cap_fen: Option<i64>,
        /// The audience: a group, or a receiver, or (neither) anyone.
        pub group_id: Option<String>,
        pub receiver_id: Option<String>,
        pub start_us: i64,
        pub expire_us: i64,
        pub greeting: String,
        pub cover: String,
        pub seed: Vec<u8>,
        pub commitment: Vec<u8>,
        pub passphrase_digest: Option<Vec<u8>>,
        pub create_us: i64,
        /// The phase, numbered as `hongbao.packet.v1.State`.
        pub state: i16,
        pub reject_reason: Option<String>,
        pub reject_balance_fen: Option<i64>,
        pub close_us: Option<i64>,
        pub opened_count: Option<i32>,
        pub opened_fen: Option<i64>,
        pub refunded_fen: Option<i64>,
        /// When it wants attention next; null in a final state.
        pub due_us: Option<i64>,
        pub attempts: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One row a send, by the client's name for it.
pub mod send_requests {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "send_requests")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub sender_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: String,
        pub packet_id: Uuid,
        pub fingerprint: Vec<u8>,
        pub total_fen: i64,
        pub share_cap_fen: Option<i64>,
        pub create_us: i64,
        pub start_us: i64,
        pub expire_us: i64,
        pub day: i64,
        /// Whether it counts in `sender_days`.
        pub counted: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One row a sender and calendar day.
pub mod sender_days {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sender_days")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub sender_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i64,
        pub sent_count: i64,
        pub sent_fen: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
