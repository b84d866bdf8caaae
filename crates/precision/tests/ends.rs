//! Does what stands before and behind the layers cost what is computed by hand?

use dtatrans_precision::workload::{EndsWork, Operation, RightBits, VectorWork, Workload};
use dtatrans_precision::{Bits, Ends, ModelShape, Plan, Reads, Tier};

fn shape(reads: Reads, pooler: bool, outputs: usize) -> ModelShape {
    ModelShape {
        layers: 2,
        hidden: 24,
        heads: 2,
        key_value_heads: 2,
        head_dim: 12,
        intermediate: 40,
        ends: Some(Ends {
            vocabulary: 50,
            tables: 3,
            reads,
            pooler,
            outputs,
        }),
        ..ModelShape::bert_base()
    }
}

/// Five tokens, of which the last layer computes three.
fn tiers() -> Vec<Vec<Tier>> {
    let last = [Tier::Eight, Tier::Zero, Tier::Four, Tier::Zero, Tier::Eight];
    vec![vec![Tier::Eight; 5], last.to_vec()]
}

fn under_plan(shape: &ModelShape, plan: &Plan) -> EndsWork {
    Workload::under_plan(shape, plan, &tiers()).ends.unwrap()
}

#[test]
fn each_token_is_the_normalised_sum_of_a_row_of_each_table() {
    let mut shape = shape(Reads::Mean, false, 0);
    for (tables, additions) in [(1, 0), (2, 5 * 24), (3, 2 * 5 * 24)] {
        shape.ends.as_mut().unwrap().tables = tables;
        for ends in [
            under_plan(&shape, &Plan::dense_eight(2)),
            Workload::dense(&shape, 5, Bits::Eight).ends.unwrap(),
        ] {
            let embedding = ends.embedding;
            assert_eq!((embedding.tokens, embedding.width), (5, 24));
            assert_eq!((embedding.tables, embedding.vocabulary), (tables, 50));
            let work = VectorWork {
                layer_norm_elements: 5 * 24,
                multiply_additions: additions,
                ..VectorWork::default()
            };
            assert_eq!(embedding.work, work);
        }
    }
}

#[test]
fn a_mean_is_vector_work_on_the_computed_tokens() {
    let shape = shape(Reads::Mean, false, 0);
    let ends = under_plan(&shape, &Plan::dense_eight(2));
    assert!(ends.products.is_empty());
    let pooling = ends.pooling.unwrap();
    assert_eq!((pooling.rows, pooling.width, pooling.layer), (3, 24, 2));
    assert_eq!(pooling.work.multiply_additions, 3 * 24);
    let dense = Workload::dense(&shape, 5, Bits::Eight).ends.unwrap();
    assert_eq!(dense.pooling.unwrap().rows, 5);
}

#[test]
fn heads_read_what_they_say() {
    let mut plan = Plan::dense_eight(2);
    plan.weight_bits = Bits::Four;
    for (reads, pooler, rows, first_row) in [
        (Reads::First, true, 1, 0),
        (Reads::First, false, 1, 0),
        (Reads::Each, false, 5, 0),
        (Reads::Last, false, 1, 4),
    ] {
        let shape = shape(reads, pooler, 7);
        let ends = under_plan(&shape, &plan);
        assert_eq!((ends.first_row, ends.pooling), (first_row, None));
        let sizes: Vec<_> = ends
            .products
            .iter()
            .map(|product| (product.operation, product.m(), product.n, product.k))
            .collect();
        let head = (Operation::Head, rows, 7, 24);
        match pooler {
            true => assert_eq!(sizes, [(Operation::Pool, 1, 24, 24), head]),
            false => assert_eq!(sizes, [head]),
        }
        for product in &ends.products {
            assert_eq!(product.rows, vec![Bits::Eight; rows]);
            assert_eq!(product.right, RightBits::Uniform(Bits::Four));
            // Rotated in blocks of eight channels, quantized, not balanced.
            let stages = if plan.rotation { 3 } else { 0 };
            let before = VectorWork {
                hadamard_additions: stages * 24 * rows as u64,
                quantized_elements: 24 * rows as u64,
                ..VectorWork::default()
            };
            assert_eq!(product.before, before);
            let activated = u64::from(product.operation == Operation::Pool) * 24;
            assert_eq!(product.after.activation_elements, activated);
        }
        let dense = Workload::dense(&shape, 5, Bits::Sixteen).ends.unwrap();
        let macs = |ends: &EndsWork| -> u64 { ends.products.iter().map(|p| p.macs()).sum() };
        assert_eq!(macs(&dense), macs(&ends));
        assert_eq!(
            macs(&dense),
            (usize::from(pooler) * 24 * 24 + rows * 7 * 24) as u64
        );
        for product in &dense.products {
            assert_eq!(product.rows, vec![Bits::Sixteen; rows]);
            assert_eq!(product.before, VectorWork::default());
        }
    }
}

#[test]
fn a_step_embeds_a_token_and_reads_it() {
    let shape = ModelShape {
        causal: true,
        ..shape(Reads::Last, false, 50)
    };
    let kept = vec![vec![vec![Tier::Eight; 9]]; 2];
    let plan = Plan::dense_eight(2);
    for step in [
        Workload::step_under_plan(&shape, &plan, &kept),
        Workload::dense_step(&shape, 9, Bits::Eight),
    ] {
        let ends = step.ends.unwrap();
        assert_eq!((ends.embedding.tokens, ends.first_row), (1, 0));
        let [head] = &ends.products[..] else {
            panic!("{:?}", ends.products)
        };
        assert_eq!((head.m(), head.n, head.k), (1, 50, 24));
    }
}

/// Savings are stated for the layers, whatever a trace says of the ends.
#[test]
fn layers_cost_what_they_cost() {
    let with = shape(Reads::Each, false, 9);
    let without = ModelShape {
        ends: None,
        ..with.clone()
    };
    let plan = Plan::dense_eight(2);
    let [with, without] =
        [with, without].map(|shape| Workload::under_plan(&shape, &plan, &tiers()));
    assert_eq!(with.layers, without.layers);
    assert_eq!(with.element_cycles(), without.element_cycles());
    assert_eq!(without.ends, None);
    assert!(
        with.products()
            .all(|product| product.operation.is_of_layer())
    );
}
