//! The miner process: answers by retrieval, signs what it says
