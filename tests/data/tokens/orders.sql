CREATE TABLE customers (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email       TEXT NOT NULL UNIQUE,
    country     CHAR(2) NOT NULL DEFAULT 'DE',
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE orders (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  BIGINT NOT NULL REFERENCES customers (id) ON DELETE RESTRICT,
    total_cents  INTEGER NOT NULL CHECK (total_cents >= 0),
    status       TEXT NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'cancelled')),
    placed_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at DESC) WHERE status <> 'cancelled';

-- Customers of the last quarter by what they spent, with their share of the country's revenue.
WITH spent AS (
    SELECT c.id, c.email, c.country, SUM(o.total_cents) / 100.0 AS revenue, COUNT(*) AS orders
    FROM customers AS c
    JOIN orders AS o ON o.customer_id = c.id
    WHERE o.status IN ('paid', 'shipped')
      AND o.placed_at >= date_trunc('quarter', now()) - INTERVAL '3 months'
    GROUP BY c.id, c.email, c.country
    HAVING COUNT(*) > 1
)
SELECT email, country, revenue, orders,
       ROUND(100 * revenue / SUM(revenue) OVER (PARTITION BY country), 2) AS percent,
       RANK() OVER (PARTITION BY country ORDER BY revenue DESC) AS place
FROM spent
ORDER BY country, place
LIMIT 50;
