//! Validates Thrift's compact encoding before the decoder reads it: no count is trusted.
//!
//! The input is a footer or the header of a page. The decoder allocates as many items as a list, a group of
//! columns or a dictionary declares, and recurses for each level of the schema, so one number in a small file
//! could abort the process. Anything beyond the counts is left to the decoder.

/// The maximum nesting of structs and lists, and of groups in the schema.
const MAX_DEPTH: usize = 64;

/// Types of Thrift's compact encoding.
const BOOLEANS: [u8; 2] = [1, 2];
const I8: u8 = 3;
const INTEGERS: [u8; 3] = [4, 5, 6];
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LISTS: [u8; 2] = [9, 10];
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Whether the counts in a footer (`FileMetaData` of `parquet.thrift`) match its content.
pub(super) fn is_sound_footer(bytes: &[u8]) -> bool {
    let mut thrift = Thrift(bytes);
    let walked = thrift.fields(|thrift, id, kind| match id {
        2 if LISTS.contains(&kind) => thrift.schema(),
        _ => thrift.skip(kind, 0),
    });
    walked.is_some()
}

/// The sizes in a page's header (`PageHeader` of `parquet.thrift`).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// 2 is a dictionary.
    pub(super) kind: i64,
    /// Bytes after decompression; `None` if the header ends before this field.
    pub(super) uncompressed: Option<i64>,
    pub(super) dictionary_values: Option<i64>,
    /// Values of a data page, including nulls.
    pub(super) values: Option<i64>,
    /// Whether the values of a data page are references to a dictionary.
    pub(super) refers: bool,
}

/// The type of a dictionary page.
const DICTIONARY: i64 = 2;
/// The encodings of references to a dictionary, `PLAIN_DICTIONARY` and `RLE_DICTIONARY`.
const REFERENCES: [i64; 2] = [2, 8];

impl PageHeader {
    /// Whether the page is a dictionary.
    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == DICTIONARY
    }

    /// The header at the start of `bytes`, as far as it is complete.
    pub(super) fn read(bytes: &[u8]) -> PageHeader {
        let mut header = PageHeader::default();
        // Long statistics may cut off a data page's header here, but only after its sizes.
        let _ = Thrift(bytes).fields(|thrift, id, kind| {
            match (id, kind) {
                (1, _) if INTEGERS.contains(&kind) => header.kind = thrift.integer()?,
                (2, _) if INTEGERS.contains(&kind) => header.uncompressed = Some(thrift.integer()?),
                (7, STRUCT) => thrift.fields(|thrift, id, kind| {
                    if id == 1 && INTEGERS.contains(&kind) {
                        header.dictionary_values = Some(thrift.integer()?);
                        return Some(());
                    }
                    thrift.skip(kind, 1)
                })?,
                // `DataPageHeader` and `DataPageHeaderV2`.
                (5 | 8, STRUCT) => {
                    let encoding_at = if id == 5 { 2 } else { 4 };
                    thrift.fields(|thrift, id, kind| {
                        match id {
                            1 if INTEGERS.contains(&kind) => header.values = Some(thrift.integer()?),
                            id if id == encoding_at && INTEGERS.contains(&kind) => {
                                header.refers = REFERENCES.contains(&thrift.integer()?);
                            }
                            _ => thrift.skip(kind, 1)?,
                        }
                        Some(())
                    })?
                }
                _ => thrift.skip(kind, 0)?,
            }
            Some(())
        });
        header
    }
}

/// The remaining bytes. Every method returns `None` if they end too early or are malformed.
struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
    /// Calls `visit` with the id and type of each field of a struct; `visit` must consume the value.
    fn fields(&mut self, mut visit: impl FnMut(&mut Self, i64, u8) -> Option<()>) -> Option<()> {
        let mut id = 0i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => self.integer()?,
                step => id.checked_add(i64::from(step))?,
            };
            visit(self, id, head & 15)?;
        }
    }

    /// Checks the groups and columns, parents before children; each declares its number of children, which
    /// the decoder allocates.
    fn schema(&mut self) -> Option<()> {
        let (kind, count) = self.list()?;
        // For each group around the current element, how many of its children follow.
        let mut open: Vec<i64> = Vec::new();
        for index in 0..count {
            let mut children = 0;
            if kind != STRUCT {
                return None;
            }
            self.fields(|thrift, id, kind| {
                if id == 5 && INTEGERS.contains(&kind) {
                    children = thrift.integer()?;
                    return Some(());
                }
                thrift.skip(kind, 1)
            })?;
            while open.pop_if(|left| *left == 0).is_some() {}
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if children > 0 {
                open.push(children);
            }
            let (to_come, left) =
                (open.iter().try_fold(0, |sum: i64, n| sum.checked_add(*n))?, count - index);
            if children < 0 || to_come >= left as i64 || open.len() > MAX_DEPTH {
                return None;
            }
        }
        Some(())
    }

    /// Skips a value of type `kind` that is nested in `depth` others.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            _ if BOOLEANS.contains(&kind) => Some(()), // the type is the value
            _ if INTEGERS.contains(&kind) => self.integer().map(|_| ()),
            _ if LISTS.contains(&kind) => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_item(kind, depth))
            }
            I8 => self.take(1),
            DOUBLE => self.take(8),
            UUID => self.take(16),
            BINARY => {
                let count = usize::try_from(self.varint()?).ok()?;
                self.take(count)
            }
            MAP => self.skip_map(depth),
            STRUCT => self.fields(|thrift, _, kind| thrift.skip(kind, depth + 1)),
            _ => None,
        }
    }

    /// In lists and maps a Boolean has its own byte.
    fn skip_item(&mut self, kind: u8, depth: usize) -> Option<()> {
        if BOOLEANS.contains(&kind) { self.take(1) } else { self.skip(kind, depth + 1) }
    }

    fn skip_map(&mut self, depth: usize) -> Option<()> {
        let count = self.varint()?;
        if count == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        (0..count).try_for_each(|_| {
            self.skip_item(kinds >> 4, depth)?;
            self.skip_item(kinds & 15, depth)
        })
    }

    /// The type and number of the items of a list; each item takes at least one byte.
    fn list(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            count => usize::from(count),
        };
        (count <= self.0.len()).then_some((head & 15, count))
    }

    fn integer(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of type list with the id 2, as many structs as `elements`, and the end.
    fn footer(elements: &[&[u8]]) -> Vec<u8> {
        let head = [0x29, 0xf0 | STRUCT, elements.len() as u8];
        [&head[..], &elements.concat(), &[0]].concat()
    }

    /// The element of a schema with its number of children.
    fn group(children: u8) -> [u8; 3] {
        [0x55, children * 2, 0]
    }

    #[test]
    fn a_schema_whose_groups_have_the_children_they_name_is_sound() {
        assert!(is_sound_footer(&footer(&[&group(2), &[0], &[0]])));
        assert!(!is_sound_footer(&footer(&[&group(60), &[0], &[0]])), "more children than elements");
        assert!(!is_sound_footer(&footer(&[&group(1)])[..5]), "cut off");
    }

    #[test]
    fn a_list_that_names_more_items_than_there_are_bytes_is_not_sound() {
        assert!(!is_sound_footer(&[0x49, 0xf0 | STRUCT, 0xff, 0xff, 0xff, 0xff, 0x07, 0]));
    }

    #[test]
    fn a_schema_that_is_too_deep_for_the_stack_is_not_sound() {
        let column: &[u8] = &[0];
        let nested = |depth| footer(&[&vec![&group(1)[..]; depth][..], &[column]].concat());
        assert!(is_sound_footer(&nested(MAX_DEPTH)) && !is_sound_footer(&nested(MAX_DEPTH + 1)));
        let lists = [&[0x19][..], &[0x19; 100], &[0; 2]].concat();
        assert!(!is_sound_footer(&lists));
    }

    #[test]
    fn a_page_header_says_its_sizes_also_when_it_is_cut_off_behind_them() {
        // type 2, uncompressed 100, compressed 50, dictionary header { values 7 }
        let header = [0x15, 4, 0x15, 200, 1, 0x15, 100, 0x4c, 0x15, 14, 0, 0];
        let expected = PageHeader {
            kind: 2,
            uncompressed: Some(100),
            dictionary_values: Some(7),
            ..PageHeader::default()
        };
        assert_eq!(PageHeader::read(&header), expected);
        assert_eq!(PageHeader::read(&header[..6]).uncompressed, Some(100));
        assert_eq!(PageHeader::read(&header[..2]), PageHeader { kind: 2, ..PageHeader::default() });
    }
}
