//! The driver's control service: attaches executors, turns their messages into events, and notices when they
//! disconnect.
//!
//! The token is checked before a call reaches this code. The first message must then prove that the executor
//! runs the same program. From then on the end of the stream means the loss of the executor.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use kiln_proto::v1::driver_message::Kind as ToExecutor;
use kiln_proto::v1::driver_server::{Driver, DriverServer};
use kiln_proto::v1::executor_message::Kind;
use kiln_proto::v1::{self, DriverMessage, ExecutorMessage, Hello};
use tokio::sync::mpsc::Receiver;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::handshake::Identity;
use super::members::{Members, message};
use super::net::{self, MAX_MESSAGE_BYTES};
use super::token::Token;
use super::wire;
use crate::driver::{Event, ExecutorId};
use crate::error::{Error, Result};
use crate::job::Run;

/// How long an executor that has connected may take to send its hello.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait for the exit of the process after its connection broke: the exit explains more about the
/// cause.
const EXIT_GRACE: Duration = Duration::from_millis(100);

/// The control service.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) members: Arc<Members>,
    pub(super) identity: Arc<Identity>,
    pub(super) run: Arc<Run>,
}

impl Door {
    /// Serves callers with the token until the runtime ends. Call it inside a runtime.
    pub(super) fn open(self, incoming: TcpIncoming, token: &Token) {
        let server = DriverServer::new(self).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let service = InterceptedService::new(server, token.wanted());
        tokio::spawn(async move {
            if let Err(e) = net::server().add_service(service).serve_with_incoming(incoming).await {
                log::error!("executors cannot reach the driver any more: {e}");
            }
        });
    }

    /// Attaches the executor, or returns why not.
    fn admit(&self, hello: &Hello) -> Result<Receiver<DriverMessage>, String> {
        match self.identity.refusal(&Identity::of(hello)) {
            Some(reason) => Err(reason),
            None => {
                self.members.attach(ExecutorId(hello.executor), hello.slots, hello.flight_address.clone())
            }
        }
    }

    /// Handles the messages of an executor until it disconnects.
    async fn listen(self, id: ExecutorId, mut inbound: Streaming<ExecutorMessage>) {
        let reason = loop {
            match inbound.message().await {
                Ok(Some(message)) => match self.hear(id, message) {
                    Ok(()) => {}
                    Err(error) => break error,
                },
                Ok(None) => break Error::transient("it closed the connection"),
                Err(status) => {
                    break Error::transient(format!("the connection to it broke: {}", status.message()));
                }
            }
        };
        tokio::time::sleep(EXIT_GRACE).await;
        self.members.lose(id, reason);
    }

    fn hear(&self, id: ExecutorId, message: ExecutorMessage) -> Result<()> {
        match message.kind {
            Some(Kind::Heartbeat(heartbeat)) => {
                self.run.progress.bytes_read(heartbeat.bytes_read_delta);
                self.members.tell(Event::Heartbeat { executor: id });
            }
            Some(Kind::TaskStatus(status)) => {
                if self.members.is_new_status(id, status.sequence) {
                    let (task, outcome) = wire::read_status(status)?;
                    self.members.tell(Event::TaskFinished { executor: id, task, outcome });
                }
            }
            Some(Kind::Quiet(quiet)) => self.members.quiet(id, quiet.number),
            Some(Kind::Hello(_)) | None => return Err(Error::bug("it said what has no meaning here")),
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Driver for Door {
    type AttachStream = BoxStream<'static, Result<DriverMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<ExecutorMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut inbound = request.into_inner();
        let hello = first(&mut inbound).await?;
        let id = ExecutorId(hello.executor);
        match self.admit(&hello) {
            Ok(inbox) => {
                tokio::spawn(self.clone().listen(id, inbound));
                Ok(Response::new(ReceiverStream::new(inbox).map(Ok).boxed()))
            }
            Err(reason) => {
                self.members.lose(id, Error::config(reason.clone()));
                let refused = message(ToExecutor::Refused(v1::Refused { reason }));
                Ok(Response::new(stream::iter([Ok(refused)]).boxed()))
            }
        }
    }
}

/// The hello, which must be the first message of a stream.
async fn first(inbound: &mut Streaming<ExecutorMessage>) -> Result<Hello, Status> {
    let message = tokio::time::timeout(HELLO_LIMIT, inbound.message()).await;
    match message.map_err(|_| Status::deadline_exceeded("no hello came"))?? {
        Some(ExecutorMessage { kind: Some(Kind::Hello(hello)) }) => Ok(hello),
        _ => Err(Status::invalid_argument("the first message must be a hello")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use kiln_proto::v1::driver_client::DriverClient;

    use super::*;
    use crate::cluster::member::tests::peers_of_nobody;
    use crate::job::Progress;

    #[test]
    fn the_same_program_is_welcome() {
        let (answer, events) = attach(&Token::random().unwrap(), None, hello("build-id aa"));
        assert!(matches!(answer.unwrap(), Some(ToExecutor::Welcome(_))));
        assert!(matches!(
            events.recv().unwrap(),
            Event::ExecutorJoined { executor: ExecutorId(1), slots: 2 }
        ));
    }

    #[test]
    fn another_binary_is_refused_with_both_hashes() {
        let (answer, events) = attach(&Token::random().unwrap(), None, hello("build-id bb"));
        let Some(ToExecutor::Refused(refused)) = answer.unwrap() else { panic!("not refused") };
        assert!(refused.reason.contains("build-id aa") && refused.reason.contains("build-id bb"));
        let Event::ExecutorLost { reason, .. } = events.recv().unwrap() else { panic!("not lost") };
        assert_eq!(reason, refused.reason);
    }

    #[test]
    fn a_caller_with_a_wrong_token_is_refused() {
        let wrong = Token::random().unwrap();
        let (answer, events) = attach(&Token::random().unwrap(), Some(&wrong), hello("build-id aa"));
        assert_eq!(answer.unwrap_err().code(), tonic::Code::Unauthenticated);
        assert!(events.try_recv().is_err());
    }

    fn hello(binary_hash: &str) -> Hello {
        let binary_hash = binary_hash.to_owned();
        Hello { protocol_version: 1, binary_hash, executor: 1, slots: 2, ..Hello::default() }
    }

    /// Returns the first answer to `hello`, and the events sent to the driver.
    fn attach(
        token: &Token,
        shown: Option<&Token>,
        hello: Hello,
    ) -> (Result<Option<ToExecutor>, Status>, mpsc::Receiver<Event>) {
        let (runtime, peers) = peers_of_nobody();
        let (tell, events) = mpsc::channel();
        let members = Members::new(peers, move |event| drop(tell.send(event)));
        members.expect(ExecutorId(1));
        let identity = Identity { binary_hash: "build-id aa".to_owned(), ..Identity::of(&hello) };
        let run = Run::new("t", Progress::silent());
        let door = Door { members: Arc::new(members), identity: Arc::new(identity), run };
        let answer = runtime.block_on(async {
            let (incoming, address) = net::listen().unwrap();
            door.open(incoming, token);
            let channel = net::endpoint(&address.to_string()).unwrap().connect().await.unwrap();
            let shown = shown.unwrap_or(token).shown().unwrap();
            let mut client = DriverClient::with_interceptor(channel, shown);
            let hello = stream::iter([ExecutorMessage { kind: Some(Kind::Hello(hello)) }]);
            let mut answers = client.attach(hello).await?.into_inner();
            Ok(answers.message().await?.and_then(|message| message.kind))
        });
        (answer, events)
    }
}
