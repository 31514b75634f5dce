//! Publishes and cleans in every order that a seed gives: no file of the output is ever removed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::Schema;
use futures::future::BoxFuture;

use super::*;
use crate::error::Class;
use crate::job::{Identity, Mode, Progress, Run};
use crate::publish::head::Publisher;
use crate::publish::objects::ObjectPublication;
use crate::publish::{Begin, Form, OutputFile, Publication, Request, TableColumns, Writer};
use crate::source::{Location, Uploads};

const EAGER: CleanOptions = CleanOptions { delete: true, grace: Duration::ZERO, force: true };

/// An output in memory, and the publishes and cleans that are under way there.
struct World {
    output: Location,
    random: u64,
    publishes: Vec<(ObjectPublication, Vec<OutputFile>)>,
    cleans: Vec<Candidates>,
    run: Arc<Run>,
    /// How many commits, fences and removals there were.
    seen: [usize; 3],
}

impl World {
    fn new(seed: u64) -> World {
        let output = Location::output(&format!("memory:///clean/{}/rows", uuid::Uuid::new_v4())).unwrap();
        let run = Run::new("r", Progress::silent());
        let (publishes, cleans) = (Vec::new(), Vec::new());
        World { output, random: seed, publishes, cleans, run, seen: [0; 3] }
    }

    fn below(&mut self, end: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % end
    }

    fn step(&mut self) {
        let some = |world: &mut World, count| (count > 0).then(|| world.below(count));
        match self.below(9) {
            0 | 1 => self.begin(),
            2 | 3 => some(self, self.publishes.len()).into_iter().for_each(|at| self.upload(at)),
            4 => some(self, self.publishes.len()).into_iter().for_each(|at| self.commit(at)),
            5 => some(self, self.publishes.len()).into_iter().for_each(|at| {
                // A driver that is killed undoes nothing.
                std::mem::forget(self.publishes.swap_remove(at));
            }),
            6 => some(self, self.publishes.len())
                .into_iter()
                .for_each(|at| drop(self.publishes.swap_remove(at))),
            7 => {
                let found = find(&self.output.store, &self.output.path, &EAGER).unwrap();
                self.cleans.push(found);
            }
            _ => some(self, self.cleans.len()).into_iter().for_each(|at| {
                let candidates = self.cleans.swap_remove(at);
                let report = remove(&self.output.store, &self.output.path, candidates).unwrap();
                self.seen[2] += report.leftovers.len();
            }),
        }
        self.check();
    }

    fn begin(&mut self) {
        let run_id = self.below(3);
        self.begin_as(run_id);
    }

    /// Begins an attempt of the run with this number; 0 is for a run of its own.
    fn begin_as(&mut self, run_id: usize) {
        let identity = Identity { run_id: run_id.to_string(), attempt: None, is_given: run_id > 0 };
        let sequence = self.run.next_write(&run_id.to_string());
        // Two attempts of a run have the same sequence.
        let publisher =
            Publisher { identity, sequence: sequence / 2, publish: uuid::Uuid::new_v4().to_string() };
        let mode = [Mode::Overwrite, Mode::Append][self.below(2)];
        let columns = TableColumns { schema: Arc::new(Schema::empty()), partition_by: Vec::new() };
        let (expected, form) = (Vec::new(), Form::Plain);
        let request = Request { mode, expected, is_internal: false, form, columns, evolves: false };
        match ObjectPublication::begin(self.output.clone(), request, &publisher, &self.run).unwrap() {
            Begin::Begun(Publication::Objects(objects)) => self.publishes.push((objects, Vec::new())),
            Begin::Published(_) => {}
            _ => panic!("nothing is skipped in these modes"),
        }
    }

    fn upload(&mut self, at: usize) {
        let (objects, files) = &mut self.publishes[at];
        let place = objects.place();
        let writer = Writer { partition: files.len(), attempt: 0 };
        let (staged, name) = place.names(writer, 0, format!("part-{:05}.txt", files.len()));
        let mut file = place.create(&staged).unwrap();
        std::io::Write::write_all(&mut file, b"row").unwrap();
        let bytes = file.close().unwrap();
        files.push(OutputFile { staged, name, rows: 1, bytes });
    }

    fn commit(&mut self, at: usize) {
        let (objects, files) = self.publishes.swap_remove(at);
        match objects.commit(&self.run.committing().unwrap(), 1, files) {
            Ok(()) => self.seen[0] += 1,
            Err(error) => {
                assert_eq!(error.class(), Class::Fenced, "{error}");
                self.seen[1] += 1;
            }
        }
    }

    /// What the head and the manifest name is there.
    fn check(&self) {
        let (store, target) = (&self.output.store, &self.output.path);
        let (head, _) = HeadObject::of(store, target).unwrap().read().unwrap();
        let json = keys::get(store, &keys::below(target, MANIFEST).unwrap()).unwrap();
        let manifest = json.and_then(|(json, _)| Manifest::parse(&json));
        let files = head.state.files.into_iter().flatten().chain(manifest.into_iter().flat_map(|m| m.files));
        for file in files {
            let key = keys::below(target, &file.name).unwrap();
            assert!(keys::get(store, &key).unwrap().is_some(), "{key} is gone");
        }
    }
}

#[test]
fn no_file_of_the_output_is_removed_whatever_the_order_of_publishes_and_cleans() {
    let mut seen = [0; 3];
    for seed in 0..120 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        (0..60).for_each(|_| world.step());
        (0..3).for_each(|at| seen[at] += world.seen[at]);
        // At the end, with nobody at work, only the files of the output are left.
        world.publishes.drain(..).for_each(std::mem::forget);
        clean(&world.output.store, &world.output.path, &EAGER).unwrap();
        world.check();
        let left = clean(&world.output.store, &world.output.path, &EAGER).unwrap();
        assert_eq!(left.leftovers, []);
    }
    assert!(seen.iter().all(|count| *count > 50), "too little has happened: {seen:?}");
}

#[test]
fn publishers_at_work_beside_a_cleaner_are_fenced_or_whole() {
    let output = Location::output(&format!("memory:///clean/{}/rows", uuid::Uuid::new_v4())).unwrap();
    let publisher = |seed: u64| {
        let output = output.clone();
        move || {
            let mut world = World { output, ..World::new(seed) };
            for _ in 0..40 {
                world.begin();
                if world.publishes.is_empty() {
                    continue; // another thread has published this run
                }
                for _ in 0..3 {
                    world.upload(0);
                }
                world.commit(0);
            }
            world.seen
        }
    };
    let publishers: Vec<_> = (1..4).map(|seed| std::thread::spawn(publisher(seed))).collect();
    let world = World { output, ..World::new(0) };
    while publishers.iter().any(|publisher| !publisher.is_finished()) {
        clean(&world.output.store, &world.output.path, &EAGER).unwrap();
    }
    let commits: usize = publishers.into_iter().map(|publisher| publisher.join().unwrap()[0]).sum();
    assert!(commits > 0);
    world.check();
}

#[test]
fn names_of_publishes_are_told_from_those_of_other_programs() {
    for name in [
        "part-00000-1f0c2a9b.csv.gz",
        "day=1/part-00003-1-1f0c2a9b.parquet",
        "part-00003-1f0c2a9b-2.parquet",
        "part-00003-1-1f0c2a9b-2.parquet",
    ] {
        assert!(has_name_of_ours(name), "{name}");
    }
    for name in [
        "part-00000.csv",
        "part-00000-1f0c2a9b-1111-2222-3333-444444444444-c000.snappy.parquet",
        "notes-1f0c2a9b.txt",
        "part-x-1f0c2a9b.csv",
        "part-00000-backup01.csv",
    ] {
        assert!(!has_name_of_ours(name), "{name}");
    }
}

#[test]
fn an_output_within_the_output_is_seen_by_its_own_files() {
    for (name, output) in [
        ("sub/_SUCCESS", Some("sub")),
        ("a/_kiln/heads/sub.json", Some("a/sub")),
        ("a/_kiln/runs/sub/r.1.json", Some("a/sub")),
        ("a/_delta_log/0.json", Some("a")),
        ("_kiln/heads/sub.json", Some("sub")),
        ("_SUCCESS", None),
        ("day=1/part-00000-1f0c2a9b.csv", None),
    ] {
        assert_eq!(output_within(name).as_deref(), output, "{name}");
    }
}

/// Uploads that a test has begun.
#[derive(Debug, Default)]
struct Begun(Mutex<Vec<OpenUpload>>);

impl Uploads for Begun {
    fn list<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, Result<Vec<OpenUpload>>> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }
    fn abort<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.0.lock().unwrap().retain(|other| other != upload);
            Ok(())
        })
    }
}

#[test]
fn an_open_upload_is_ended_when_it_is_old_and_of_no_attempt_that_has_a_young_one() {
    let mut world = World::new(7);
    let begun = Arc::new(Begun::default());
    world.output.store = world.output.store.clone().with_uploads(Arc::<Begun>::clone(&begun));
    (0..2).for_each(|_| world.begin_as(0));
    let tags = [0, 1].map(|at| tag_of(world.publishes[at].0.claim()));
    let upload = |name: String, hours: i64| OpenUpload {
        path: keys::below(&world.output.path, &name).unwrap(),
        id: name,
        begun: Utc::now() - TimeDelta::hours(hours),
    };
    // The first attempt has an old and a young upload, the second an old one; the last has a tag that nobody knows.
    let uploads = [
        upload(format!("part-00000-{}.parquet", tags[0]), 48),
        upload(format!("part-00001-{}.parquet", tags[0]), 1),
        upload(format!("part-00000-{}.parquet", tags[1]), 48),
        upload("part-00000-0a1b2c3d.parquet".to_owned(), 48),
        upload("part-00001-0a1b2c3d.parquet".to_owned(), 1),
        upload("notes.txt".to_owned(), 48),
    ];
    begun.0.lock().unwrap().extend(uploads.clone());
    let clean = |delete| {
        let options = CleanOptions { delete, ..CleanOptions::default() };
        clean(&world.output.store, &world.output.path, &options).unwrap()
    };
    let ended =
        vec![world.output.store.address(&uploads[3].path), world.output.store.address(&uploads[2].path)];
    let sorted = |mut addresses: Vec<String>| {
        addresses.sort();
        addresses
    };
    let listed = clean(false);
    assert_eq!((sorted(listed.uploads), listed.revoked.len()), (sorted(ended.clone()), 1));
    assert_eq!(begun.0.lock().unwrap().len(), 6, "nothing is ended unless it is asked for");
    assert_eq!(sorted(clean(true).uploads), sorted(ended));
    let left: Vec<OpenUpload> = [0, 1, 4, 5].map(|at| uploads[at].clone()).into();
    assert_eq!(*begun.0.lock().unwrap(), left);
    assert!(clean(true).uploads.is_empty());
}
