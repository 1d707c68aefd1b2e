//! Object stores: S3, Google Cloud Storage, Azure, by one narrow trait over the `object_store` crate.
//!
//! All of them answer a read with the newest write, and put an object on a condition; that is all that
//! a log's head needs. Credentials come from the environment, as each provider's own tools read them
//! (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`
//! and so on), never from the URL.

use anyhow::{Context, Result, bail};
use coldlog_kit::published::Source;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Which of its writes an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    tag: Option<String>,
    version: Option<String>,
}

impl Version {
    /// A version by its tag alone.
    pub fn new(tag: String) -> Version {
        Version { tag: Some(tag), version: None }
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
}

/// What became of a conditional put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swapped {
    /// The object holds the new bytes.
    Done,
    /// The object held another version than expected, and was left alone.
    Lost,
}

/// An object store that reads what was written last. A call that fails may have been carried out.
pub trait Objects: Send + Sync {
    /// An object of at most `limit` bytes, with its version; `None` when there is none.
    fn get(&self, key: &str, limit: usize) -> Result<Option<(Vec<u8>, Version)>>;
    /// Puts an object, whatever was there.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<()>;
    /// Puts an object if it holds `expected`; for `None`, if there is none.
    fn swap(&self, key: &str, expected: Option<&Version>, bytes: &[u8]) -> Result<Swapped>;
    /// Deletes an object; one that is not there is no error.
    fn delete(&self, key: &str) -> Result<()>;
    /// Names every object whose key begins with `prefix` and a slash, relative to it, in any order.
    fn list(&self, prefix: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()>;
    /// Puts several objects, in any order, some of them at the same time.
    fn put_all(&self, objects: &[(String, Vec<u8>)]) -> Result<()> {
        objects.iter().try_for_each(|(key, bytes)| self.put(key, bytes))
    }
    /// Where it is, for people.
    fn place(&self) -> String;
}

/// Requests under way at the same time in [`Objects::put_all`].
const AT_ONCE: usize = 16;

/// An object store by the `object_store` crate, below a prefix.
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    url: String,
    runtime: Runtime,
}

/// Whether a text names an object store rather than a folder.
pub fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

impl Remote {
    /// Opens `s3://BUCKET/PREFIX`, `gs://..` or `az://CONTAINER/PREFIX`. Nothing is asked of the store yet.
    pub fn open(url: &str) -> Result<Remote> {
        let parsed = url::Url::parse(url).with_context(|| format!("{url:?} is no URL"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some()
        {
            bail!(
                "the URL of a store holds no credentials and no query: they come from the environment"
            );
        }
        let store: Arc<dyn ObjectStore> = match parsed.scheme() {
            "s3" => {
                let builder = AmazonS3Builder::from_env().with_url(url);
                Arc::new(builder.with_conditional_put(S3ConditionalPut::ETagMatch).build()?)
            }
            "gs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_url(url).build()?),
            "az" => Arc::new(MicrosoftAzureBuilder::from_env().with_url(url).build()?),
            other => bail!("{other}:// is no store of ours: name s3://, gs:// or az://"),
        };
        let prefix = Path::from_url_path(parsed.path())
            .with_context(|| format!("{url:?} has no sound path"))?;
        Remote::new(store, prefix, url)
    }

    /// A store that is open already, as the crate's own in memory.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, url: &str) -> Result<Remote> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("starting the store's client")?;
        Ok(Remote { store, prefix, url: url.trim_end_matches('/').into(), runtime })
    }

    fn path(&self, key: &str) -> Result<Path> {
        let below = Path::parse(key).with_context(|| format!("{key:?} is no object's key"))?;
        Ok(self.prefix.parts().chain(below.parts()).collect())
    }

    fn doing(&self, what: &str, key: &str) -> String {
        format!("{what} {}/{key}", self.url)
    }
}

impl Objects for Remote {
    fn get(&self, key: &str, limit: usize) -> Result<Option<(Vec<u8>, Version)>> {
        let path = self.path(key)?;
        let got = self.runtime.block_on(async {
            let got = match self.store.get_opts(&path, GetOptions::default()).await {
                Err(Error::NotFound { .. }) => return Ok(None),
                got => got?,
            };
            if got.meta.size > limit as u64 {
                bail!("it is larger than {limit} bytes: it is not the object that was asked for");
            }
            let version =
                Version { tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
            Ok(Some((got.bytes().await?.to_vec(), version)))
        });
        got.with_context(|| self.doing("reading", key))
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(key)?;
        let put = self.store.put(&path, PutPayload::from(bytes.to_vec()));
        self.runtime.block_on(put).with_context(|| self.doing("writing", key))?;
        Ok(())
    }

    fn swap(&self, key: &str, expected: Option<&Version>, bytes: &[u8]) -> Result<Swapped> {
        let path = self.path(key)?;
        let mode = match expected {
            None => PutMode::Create,
            Some(Version { tag, version }) => {
                PutMode::Update(UpdateVersion { e_tag: tag.clone(), version: version.clone() })
            }
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = self.store.put_opts(&path, PutPayload::from(bytes.to_vec()), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(Swapped::Done),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Swapped::Lost),
            Err(error) => Err(error).with_context(|| self.doing("writing", key)),
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        match self.runtime.block_on(self.store.delete(&path)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error).with_context(|| self.doing("deleting", key)),
        }
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let path = self.path(prefix)?;
        self.runtime.block_on(async {
            let mut objects = self.store.list(Some(&path));
            while let Some(object) = objects.next().await {
                let object = object.with_context(|| self.doing("listing", prefix))?;
                let name: Option<Path> = object.location.prefix_match(&path).map(Iterator::collect);
                each(name.context("the store lists what was not asked for")?.as_ref())?;
            }
            Ok(())
        })
    }

    fn put_all(&self, objects: &[(String, Vec<u8>)]) -> Result<()> {
        let puts = objects.iter().map(|(key, bytes)| async move {
            let path = self.path(key)?;
            let put = self.store.put(&path, PutPayload::from(bytes.clone())).await;
            put.with_context(|| self.doing("writing", key)).map(|_| ())
        });
        let puts = futures_util::stream::iter(puts).buffer_unordered(AT_ONCE);
        self.runtime.block_on(puts.try_collect::<Vec<()>>())?;
        Ok(())
    }

    fn place(&self) -> String {
        self.url.clone()
    }
}

/// What a log publishes in a store, for those who only read: each file is an object.
impl Source for Remote {
    fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        Ok(Objects::get(self, path, limit)?.map(|(bytes, _)| bytes))
    }

    fn heads(&self) -> Result<Option<Vec<String>>> {
        let mut found = Vec::new();
        self.list("heads", &mut |name| {
            found.push(format!("heads/{name}"));
            Ok(())
        })?;
        Ok(Some(found))
    }
}
