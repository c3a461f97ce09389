//! The tables. Nothing outside `store::sql` sees them.

/// Transfer orders.
pub mod orders {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub transfer_id: Uuid,
        pub kind: i16,
        pub state: i16,
        pub packet_id: Option<Uuid>,
        pub user_id: Option<String>,
        pub amount_fen: i64,
        pub share_no: i64,
        pub partition_no: Option<i32>,
        pub seq: Option<i64>,
        pub claim_time_us: Option<i64>,
        pub failure: Option<String>,
        pub balance_fen: i64,
        pub paid_to: Option<String>,
        /// The open try of a FUND.
        pub attempt_id: Option<Uuid>,
        /// Until when it may take effect.
        pub attempt_until_us: Option<i64>,
        pub create_time_us: i64,
        pub update_time_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Cursors into the claim log, with their leases.
pub mod cursors {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cursors")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partition_no: i32,
        pub after_seq: i64,
        pub lease_owner: Option<Uuid>,
        pub lease_until_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Instances that read the claim log.
pub mod workers {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub worker_id: Uuid,
        pub alive_until_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Repair cases.
pub mod cases {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "repair_cases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub case_id: Uuid,
        pub state: i16,
        pub create_time_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What happened to repair cases.
pub mod case_events {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "case_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub case_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_no: i32,
        pub actor: String,
        pub action: String,
        pub reason: String,
        pub create_time_us: i64,
        /// The operator's request it belongs to.
        pub request_id: Option<String>,
        /// What stands behind it.
        pub detail: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What operators decided about repair cases.
pub mod acts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "repair_acts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: String,
        pub case_id: Uuid,
        pub operator_id: String,
        pub decision: i16,
        pub payee: String,
        pub reason: String,
        /// 1 while it has no outcome.
        pub outcome: i16,
        /// The verdict of a refusal, or where the money had gone before.
        pub outcome_detail: Option<String>,
        /// The latest try at it.
        pub attempt_id: Uuid,
        /// Until when a try may take effect.
        pub attempt_until_us: i64,
        pub create_time_us: i64,
        pub update_time_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The periodic run through the books: one row.
pub mod runs {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reconciliations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub only: i16,
        pub run_no: i64,
        pub begin_us: i64,
        /// Where it stands; NULL if it has ended.
        pub position: Option<String>,
        pub update_us: i64,
        pub difference_count: i64,
        pub owner: Option<Uuid>,
        pub hold_until_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
