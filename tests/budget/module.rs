//! Runs the module in an interpreter, and measures the cost of its callbacks.

use std::fmt;
use std::sync::OnceLock;

use wasmi::{CompilationMode, Config, Engine, ExternType, Instance, Linker, Store, Val};

use super::host::{self, Call, Host};

/// The cost of one callback of a role.
#[derive(Debug)]
pub(crate) struct Callback {
    /// `router`, `attempt_1`, ...
    pub(crate) role: &'static str,
    pub(crate) name: &'static str,
    /// The number of instructions, including those of called functions. Only approximate: wasmi counts a block's
    /// instructions when the block is entered, including those that a branch then skips.
    pub(crate) fuel: u64,
    pub(crate) calls: Vec<Call>,
}

impl fmt::Display for Callback {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Callback {
            role, name, fuel, ..
        } = self;
        write!(out, "{role}: {name}, fuel {fuel}")?;
        for call in &self.calls {
            write!(out, "\n    {} ({})", call.name, call.detail)?;
        }
        Ok(())
    }
}

/// One VM with all roles, like that of each Envoy worker.
pub(crate) struct Module {
    store: Store<Host>,
    instance: Instance,
    pub(crate) callbacks: Vec<Callback>,
    contexts: u32,
}

const FUEL: u64 = u64::MAX / 2;

impl Module {
    /// Creates a VM.
    pub(crate) fn new() -> Self {
        static COMPILED: OnceLock<wasmi::Module> = OnceLock::new();
        let module = COMPILED.get_or_init(compile);
        let mut linker = Linker::new(module.engine());
        for import in module.imports() {
            let ExternType::Func(kind) = import.ty() else {
                panic!("the module imports {}, which is no function", import.name());
            };
            let name = import.name().to_owned();
            linker
                .func_new(
                    import.module(),
                    import.name(),
                    kind.clone(),
                    move |caller, params, results| host::call(caller, &name, params, results),
                )
                .unwrap();
        }
        let mut store = Store::new(module.engine(), Host::default());
        store.set_fuel(FUEL).unwrap();
        let instance = linker.instantiate_and_start(&mut store, module).unwrap();
        let mut module = Module {
            store,
            instance,
            callbacks: Vec::new(),
            contexts: 0,
        };
        module.call("start", "_initialize", &[]);
        module
    }

    /// Creates a root context with this configuration.
    pub(crate) fn configure(&mut self, root_id: &str, configuration: &str) -> u32 {
        self.host().root_id = root_id.to_owned();
        self.host().configuration = configuration.as_bytes().to_vec();
        let root = self.create(0);
        if root == 1 {
            assert_eq!(self.call("start", "proxy_on_vm_start", &[root, 0]), 1);
        }
        let size = u32::try_from(configuration.len()).unwrap();
        let accepted = self.call("start", "proxy_on_configure", &[root, size]);
        assert_eq!(accepted, 1, "{:#?}", self.host().logs);
        root
    }

    fn create(&mut self, root: u32) -> u32 {
        self.create_for("start", root)
    }

    /// Creates a context below this root.
    pub(crate) fn create_for(&mut self, role: &'static str, root: u32) -> u32 {
        self.contexts += 1;
        let context = self.contexts;
        self.call(role, "proxy_on_context_create", &[context, root]);
        context
    }

    /// Returns the state of the host.
    pub(crate) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// Calls an export; returns 0 if the export returns nothing.
    #[track_caller]
    pub(crate) fn call(&mut self, role: &'static str, name: &'static str, params: &[u32]) -> u32 {
        let export = self.instance.get_func(&self.store, name);
        let function = export.unwrap_or_else(|| panic!("the module has no {name}"));
        let params: Vec<Val> = params
            .iter()
            .map(|value| Val::I32(value.cast_signed()))
            .collect();
        let count = function.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); count];
        self.store.set_fuel(FUEL).unwrap();
        let outcome = function.call(&mut self.store, &params, &mut results);
        let fuel = FUEL - self.store.get_fuel().unwrap();
        let calls = std::mem::take(&mut self.host().calls);
        self.callbacks.push(Callback {
            role,
            name,
            fuel,
            calls,
        });
        if let Err(error) = outcome {
            panic!("{name} ended with: {error}\n{}", self.list());
        }
        match results.first() {
            Some(Val::I32(result)) => result.cast_unsigned(),
            _ => 0,
        }
    }

    /// Lists all callbacks and their calls in readable form.
    pub(crate) fn list(&self) -> String {
        let lines: Vec<String> = self.callbacks.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

fn compile() -> wasmi::Module {
    let file = std::env::var_os("LLM_ROUTER_WASM").unwrap_or_else(|| {
        panic!(
            "LLM_ROUTER_WASM is not set. It names the llm_router.wasm to test: `make test` sets it."
        )
    });
    let wasm = std::fs::read(&file).unwrap_or_else(|error| {
        panic!(
            "LLM_ROUTER_WASM has to be the absolute path of the llm_router.wasm to test, and {} cannot be read \
             ({error}): use `make test`.",
            file.display()
        )
    });
    let mut config = Config::default();
    // Compiled when it is loaded; otherwise the first call of each function would cost more than the others.
    config
        .consume_fuel(true)
        .compilation_mode(CompilationMode::Eager);
    wasmi::Module::new(&Engine::new(&config), wasm).unwrap()
}
