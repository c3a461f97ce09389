//! A small schema for these tests.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};
use sea_orm_migration::prelude::*;
use sql::Error;

/// The schema as the tests know it.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNumbers)]
    }
}

/// One step further.
pub struct Newer;

#[async_trait::async_trait]
impl MigratorTrait for Newer {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNumbers), Box::new(Nothing)]
    }
}

struct CreateNumbers;

impl MigrationName for CreateNumbers {
    fn name(&self) -> &'static str {
        "m0001_create_numbers"
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait declares them so, and async_trait would make them others"
)]
#[async_trait::async_trait]
impl MigrationTrait for CreateNumbers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("number")
            .col(ColumnDef::new("n").big_integer().not_null().primary_key())
            .col(ColumnDef::new("name").string_len(64).not_null())
            .col(ColumnDef::new("touched").big_integer().not_null())
            .check(Expr::col("n").gte(0))
            .take();
        sql::schema::create_table(manager, table).await?;
        let index = Index::create().table("number").col("name").unique().take();
        sql::schema::create_index(manager, "number", "number_by_name", index).await?;
        sql::shards::create_layout(manager).await
    }
}

struct Nothing;

impl MigrationName for Nothing {
    fn name(&self) -> &'static str {
        "m0002_nothing"
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait declares them so, and async_trait would make them others"
)]
#[async_trait::async_trait]
impl MigrationTrait for Nothing {
    async fn up(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

mod number {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "number")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub n: i64,
        pub name: String,
        pub touched: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes a row.
pub async fn insert(on: &impl ConnectionTrait, n: i64, name: &str) -> Result<(), Error> {
    let row = number::ActiveModel {
        n: sea_orm::Set(n),
        name: sea_orm::Set(name.to_owned()),
        touched: sea_orm::Set(0),
    };
    number::Entity::insert(row).exec_without_returning(on).await?;
    Ok(())
}

/// Changes a row, and so locks it.
pub async fn set(on: &impl ConnectionTrait, n: i64) -> Result<(), Error> {
    number::Entity::update_many()
        .col_expr(number::Column::Touched, Expr::col(number::Column::Touched).add(1))
        .filter(number::Column::N.eq(n))
        .exec(on)
        .await?;
    Ok(())
}

/// All numbers in order.
pub async fn numbers(on: &impl ConnectionTrait) -> Vec<i64> {
    let rows = number::Entity::find()
        .order_by_asc(number::Column::N)
        .all(on)
        .await
        .unwrap();
    rows.into_iter().map(|row| row.n).collect()
}

/// The numbers of a name.
pub async fn names(on: &impl ConnectionTrait, name: &str) -> Vec<i64> {
    let rows = number::Entity::find()
        .filter(number::Column::Name.eq(name))
        .all(on)
        .await
        .unwrap();
    rows.into_iter().map(|row| row.n).collect()
}
