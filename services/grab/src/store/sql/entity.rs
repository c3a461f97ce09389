//! The tables. Rows never leave the store.

/// Promises. Written once.
pub mod packet {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "packet")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub packet_id: Uuid,
        pub partition_no: i32,
        pub sender_id: String,
        pub kind: i32,
        pub total_fen: i64,
        pub share_count: i64,
        pub share_cap_fen: Option<i64>,
        pub audience: i32,
        pub audience_id: Option<String>,
        pub start_time_us: i64,
        pub expire_time_us: i64,
        pub greeting: String,
        pub cover: String,
        pub seed: Vec<u8>,
        pub passphrase_digest: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The running account of each packet, apart from the promise, so that a batch of opens rewrites short rows.
pub mod tally {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "tally")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub packet_id: Uuid,
        pub opened_count: i64,
        pub opened_fen: i64,
        pub close_time_us: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The claim log. Appended to; only `luckiest` is ever set later.
pub mod claim {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "claim")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partition_no: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub packet_id: Uuid,
        pub share_no: i64,
        pub user_id: String,
        pub amount_fen: i64,
        pub claim_time_us: i64,
        pub luckiest: bool,
        pub sender_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One row a partition: what orders its log and fences its writers.
pub mod head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "log_head")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partition_no: i32,
        pub next_seq: i64,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
