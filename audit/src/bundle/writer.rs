//! Writes a bundle as a stream: nothing of it is kept in memory.

use std::io::Write;

use domain::codec::MAX_PAYLOAD;
use tlog::Hash;
use tlog::note::MAX_NOTE_LENGTH;

use super::{BundleError, Header, MAGIC, MAX_LEAF, MAX_ORIGIN, MAX_PROOF, Tag, capped};
use crate::record::Recorded;

/// Writes a bundle item by item, in order: antecedents, the previous derivation, the range, the end.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    last: Tag,
    antecedent: Option<u64>,
    next: u64,
    end: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a bundle.
    ///
    /// # Errors
    /// A header above the limits, a frontier of another size than `from`, and what `out` says.
    pub fn new(mut out: W, header: &Header) -> Result<Self, BundleError> {
        if header.frontier.size() != header.from || header.end < header.from {
            return Err(BundleError::Order { position: header.from, problem: "frontier or end do not fit the range" });
        }
        let origin = header.origin.as_bytes();
        out.write_all(MAGIC)?;
        out.write_all(&[u8::from(header.epoch.is_some())])?;
        for number in [header.epoch.unwrap_or(0), header.from, header.end] {
            out.write_all(&number.to_be_bytes())?;
        }
        out.write_all(&(capped("origin", origin.len(), MAX_ORIGIN)? as u16).to_be_bytes())?;
        out.write_all(origin)?;
        let note = header.checkpoint.as_bytes();
        out.write_all(&(capped("checkpoint", note.len(), MAX_NOTE_LENGTH)? as u32).to_be_bytes())?;
        out.write_all(note)?;
        write_hashes(&mut out, header.frontier.peaks())?;
        Ok(Self { out, last: Tag::Antecedent, antecedent: None, next: header.from, end: header.end })
    }

    /// An event from before the range with its inclusion proof in the checkpoint's tree. In order of position.
    ///
    /// # Errors
    /// An antecedent out of order, one above the limits, and what the stream says.
    pub fn antecedent(&mut self, recorded: &Recorded, inclusion: &[Hash]) -> Result<(), BundleError> {
        let position = recorded.position;
        if self.last != Tag::Antecedent || self.antecedent.is_some_and(|last| last >= position) || position >= self.next
        {
            return Err(BundleError::Order { position, problem: "antecedents come first, in order of position" });
        }
        self.antecedent = Some(position);
        self.item(Tag::Antecedent, recorded, Some(inclusion))
    }

    /// The derivation (revision 0) of the epoch before, with its inclusion proof in the checkpoint's tree.
    ///
    /// # Errors
    /// As [`Writer::antecedent`].
    pub fn previous(&mut self, recorded: &Recorded, inclusion: &[Hash]) -> Result<(), BundleError> {
        if self.last != Tag::Antecedent {
            let (position, problem) = (recorded.position, "the previous derivation comes once, before the range");
            return Err(BundleError::Order { position, problem });
        }
        self.last = Tag::Previous;
        self.item(Tag::Previous, recorded, Some(inclusion))
    }

    /// The next event of the range.
    ///
    /// # Errors
    /// An event that is not the next one, one above the limits, and what the stream says.
    pub fn event(&mut self, recorded: &Recorded) -> Result<(), BundleError> {
        if recorded.position != self.next || self.next >= self.end {
            let problem = "the event is not the next one of the range";
            return Err(BundleError::Order { position: recorded.position, problem });
        }
        self.last = Tag::Event;
        self.next += 1;
        self.item(Tag::Event, recorded, None)
    }

    /// Ends the bundle with the consistency proof from the range's end to the checkpoint.
    ///
    /// # Errors
    /// A range that is not complete, and what the stream says.
    pub fn finish(mut self, consistency: &[Hash]) -> Result<W, BundleError> {
        if self.next != self.end {
            return Err(BundleError::Order { position: self.next, problem: "events of the range are missing" });
        }
        self.out.write_all(&[Tag::End as u8])?;
        write_hashes(&mut self.out, consistency)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn item(&mut self, tag: Tag, recorded: &Recorded, proof: Option<&[Hash]>) -> Result<(), BundleError> {
        let leaf = recorded.leaf().encode()?;
        self.out.write_all(&[tag as u8])?;
        if let Some(proof) = proof {
            write_hashes(&mut self.out, proof)?;
        }
        self.out.write_all(&(capped("leaf", leaf.len(), MAX_LEAF)? as u32).to_be_bytes())?;
        self.out.write_all(&leaf)?;
        match (&recorded.salt, &recorded.payload) {
            (Some(salt), Some(payload)) => {
                let length = capped("payload", payload.len(), MAX_PAYLOAD as usize)? as u32;
                self.out.write_all(&[1])?;
                self.out.write_all(salt)?;
                self.out.write_all(&length.to_be_bytes())?;
                self.out.write_all(payload)?;
            }
            (None, None) => self.out.write_all(&[0])?,
            _ => return Err(BundleError::Malformed("salt and payload are erased together or not at all")),
        }
        Ok(())
    }
}

fn write_hashes(out: &mut impl Write, hashes: &[Hash]) -> Result<(), BundleError> {
    out.write_all(&[capped("proof", hashes.len(), MAX_PROOF)? as u8])?;
    for hash in hashes {
        out.write_all(&hash.0)?;
    }
    Ok(())
}
