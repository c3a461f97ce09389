//! The grab service over a real server and client, with an account service that a test commands.
#![cfg(test)]

mod feed;
mod instances;
mod limits;
mod members;
mod race;
mod records;
mod redis;
mod world;
